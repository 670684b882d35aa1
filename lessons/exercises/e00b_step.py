"""Exercise 00b, 2: from one timestep to another."""

from torch import Tensor


def step(x: Tensor, prediction: Tensor, a: Tensor, a_next: Tensor) -> Tensor:
    """The noisy drawings x (n, 3, 16, 16), brought from the timestep where Abar is `a` to
    the one where it is `a_next`, by a `prediction` of their noise. Both are numbers in tensors.

    With `a_next` > `a` it is a step of sampling. With `a_next` < `a` it is one of inversion.
    """
    raise NotImplementedError

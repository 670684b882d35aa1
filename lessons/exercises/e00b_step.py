"""Exercise 00b, 2: from one noise level to another."""

from torch import Tensor


def step(x: Tensor, prediction: Tensor, a: Tensor, a_next: Tensor) -> Tensor:
    """The noisy drawings x (n, 3, 16, 16), which are at the level Abar = `a`, at the level
    `a_next`, according to a `prediction` of their noise. Both levels are numbers in tensors.

    With `a_next` > `a` it is a step of sampling. With `a_next` < `a` it is one of inversion.
    """
    raise NotImplementedError

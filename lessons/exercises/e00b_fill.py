"""Exercise 00b, 1: half of a drawing is given."""

from torch import Tensor


def fill(x: Tensor, picture: Tensor, given: Tensor, noise: Tensor, a: Tensor) -> Tensor:
    """The noisy drawings x (n, 3, 16, 16) at the timestep where Abar is `a`, a number in a tensor,
    with what is given of `picture` in its place, as noisy as the rest.

    `picture` is clean, `noise` is unit noise, both like x. `given` (16, 16) is true where the
    picture is given.
    """
    raise NotImplementedError

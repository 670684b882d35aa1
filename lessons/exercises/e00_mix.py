"""Exercise 00, 2: two noises mixed to one."""

from torch import Tensor


def mix(noise: Tensor, other: Tensor, share: float) -> Tensor:
    """A noise (f, c, h, w) of which the given share of the variance, from 0 to 1, comes from
    `other`, and the rest from `noise`. If both are independent and of variance 1, it has variance
    1 again.
    """
    raise NotImplementedError

"""Exercise 00, 2: two noises mixed to one."""

from torch import Tensor


def mix(noise: Tensor, other: Tensor, share: float) -> Tensor:
    return (1 - share) ** 0.5 * noise + share**0.5 * other


def faded(noise: Tensor, other: Tensor, share: float) -> Tensor:  # variance 0.5 at share 0.5
    return (1 - share) * noise + share * other


WRONG = faded

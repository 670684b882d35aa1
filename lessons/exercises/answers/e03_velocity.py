"""Exercise 03, 2: what a prediction of v says about x_0 and the noise."""

from torch import Tensor


def from_velocity(v: Tensor, x: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    clean, noisy = alpha.sqrt(), (1 - alpha).sqrt()  # the factors of x_0 and of the noise
    return clean * x - noisy * v, noisy * x + clean * v


def taken_for_noise(v: Tensor, x: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return (x - (1 - alpha).sqrt() * v) / alpha.sqrt(), v


WRONG = taken_for_noise

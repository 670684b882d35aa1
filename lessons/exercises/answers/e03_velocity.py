"""Exercise 03, 2: what a v-prediction says about the picture and the noise."""

from torch import Tensor


def from_velocity(v: Tensor, x: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    picture, noise = alpha.sqrt(), (1 - alpha).sqrt()
    return picture * x - noise * v, noise * x + picture * v


def taken_for_noise(v: Tensor, x: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return (x - (1 - alpha).sqrt() * v) / alpha.sqrt(), v


WRONG = taken_for_noise

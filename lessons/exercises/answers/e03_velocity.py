"""Exercise 03, 2: what a v-prediction says about the picture and the noise."""

from torch import Tensor


def from_velocity(v: Tensor, x: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    picture, noise = alpha.sqrt(), (1 - alpha).sqrt()
    return picture * x - noise * v, noise * x + picture * v


def taken_for_noise(v: Tensor, x: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return (x - (1 - alpha).sqrt() * v) / alpha.sqrt(), v


def without_roots(v: Tensor, x: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return alpha * x - (1 - alpha) * v, (1 - alpha) * x + alpha * v


def other_sign(v: Tensor, x: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return from_velocity(-v, x, alpha)


WRONG = [taken_for_noise, without_roots, other_sign]

"""Exercise 11: one step of inversion, for a network that predicts v."""

from torch import Tensor


def invert_v(v: Tensor, x: Tensor, abar: Tensor, abar_x: Tensor) -> Tensor:
    c = (abar * abar_x).sqrt() + ((1 - abar) * (1 - abar_x)).sqrt()
    x0 = (abar.sqrt() * x - (1 - abar_x).sqrt() * v) / c
    noise = ((1 - abar).sqrt() * x + abar_x.sqrt() * v) / c
    return abar.sqrt() * x0 + (1 - abar).sqrt() * noise


def as_noise(v: Tensor, x: Tensor, abar: Tensor, abar_x: Tensor) -> Tensor:
    x0 = (x - (1 - abar_x).sqrt() * v) / abar_x.sqrt()
    return abar.sqrt() * x0 + (1 - abar).sqrt() * v


WRONG = as_noise

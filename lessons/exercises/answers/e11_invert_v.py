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


def both_at_the_level_left(v: Tensor, x: Tensor, abar: Tensor, abar_x: Tensor) -> Tensor:
    x0, noise = split(v, x, abar_x)
    return abar.sqrt() * x0 + (1 - abar).sqrt() * noise


def both_at_the_level_led_to(v: Tensor, x: Tensor, abar: Tensor, abar_x: Tensor) -> Tensor:
    x0, noise = split(v, x, abar)
    return abar.sqrt() * x0 + (1 - abar).sqrt() * noise


def split(v: Tensor, x: Tensor, abar: Tensor) -> tuple[Tensor, Tensor]:
    return abar.sqrt() * x - (1 - abar).sqrt() * v, (1 - abar).sqrt() * x + abar.sqrt() * v


WRONG = [as_noise, both_at_the_level_left, both_at_the_level_led_to]

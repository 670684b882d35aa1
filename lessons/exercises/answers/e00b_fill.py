"""Exercise 00b, 1: half of a drawing is given."""

import torch
from torch import Tensor


def fill(x: Tensor, picture: Tensor, given: Tensor, noise: Tensor, a: Tensor) -> Tensor:
    return torch.where(given, a.sqrt() * picture + (1 - a).sqrt() * noise, x)


def without_noise(x, picture, given, noise, a):
    return torch.where(given, picture, x)


WRONG = without_noise

"""Exercise 00b, 1: half of a drawing is given.

Where the word is the drawing's own shape, the network completes it in its colour. Where it is
another one, the network cannot obey both: half a diamond is joined to half a square, sometimes in
two colours.
"""

import torch
from torch import Tensor


def fill(x: Tensor, picture: Tensor, given: Tensor, noise: Tensor, a: Tensor) -> Tensor:
    return torch.where(given, a.sqrt() * picture + (1 - a).sqrt() * noise, x)


def without_noise(x, picture, given, noise, a):
    return torch.where(given, picture, x)


WRONG = without_noise

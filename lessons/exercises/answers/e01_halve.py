"""Exercise 01, 2: half the size, the VAE's way."""

import torch.nn.functional as F
from torch import Tensor


def halve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(F.pad(x, (0, 1, 0, 1)), weight, bias, stride=2)


def all_sides(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x, weight, bias, stride=2, padding=1)


def left_and_top(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(F.pad(x, (1, 0, 1, 0)), weight, bias, stride=2)


def with_the_last_line_twice(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(F.pad(x, (0, 1, 0, 1), mode="replicate"), weight, bias, stride=2)


WRONG = [all_sides, left_and_top, with_the_last_line_twice]

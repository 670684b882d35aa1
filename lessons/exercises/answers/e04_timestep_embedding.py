"""Exercise 04, 1: a timestep as a row of waves."""

import torch
from torch import Tensor


def timestep_embedding(t: Tensor, dim: int) -> Tensor:
    half = dim // 2
    return waves(t, half, half)


def waves(t: Tensor, half: int, divisor: int) -> Tensor:
    angles = torch.outer(t.float(), 10000 ** (-torch.arange(half) / divisor))
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def sines_first(t: Tensor, dim: int) -> Tensor:
    return timestep_embedding(t, dim).roll(dim // 2, dims=1)


def ends_at_a_ten_thousandth(t: Tensor, dim: int) -> Tensor:
    return waves(t, dim // 2, dim // 2 - 1)


def taking_turns(t: Tensor, dim: int) -> Tensor:
    return timestep_embedding(t, dim).unflatten(1, (2, -1)).transpose(1, 2).flatten(1)


WRONG = [sines_first, ends_at_a_ten_thousandth, taking_turns]

"""Exercise 00, 1: do two videos move alike?"""

import torch
from torch import Tensor


def same_motion(one: Tensor, other: Tensor) -> float:
    maps = [(v[1:] - v[:-1]).abs().mean(dim=1).flatten() for v in (one, other)]  # (f-1)*H*W
    return torch.corrcoef(torch.stack(maps))[0, 1].item()


def not_centred(one: Tensor, other: Tensor) -> float:  # the mean of a map counts as likeness
    maps = [(v[1:] - v[:-1]).abs().mean(dim=1).flatten() for v in (one, other)]
    return torch.cosine_similarity(*maps, dim=0).item()


WRONG = not_centred

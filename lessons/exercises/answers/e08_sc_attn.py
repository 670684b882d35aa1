"""Exercise 08, 1: sparse-causal attention, frame by frame."""

import torch
from torch import Tensor

from tav.layers import attend


def sc_attn(q: Tensor, k: Tensor, v: Tensor, frames: int, heads: int) -> Tensor:
    rows = []
    for first in range(0, len(q), frames):  # of each video
        for i in range(frames):
            seen = [first, first + max(i - 1, 0)]
            keys, values = torch.cat([*k[seen]]), torch.cat([*v[seen]])
            rows.append(attend(q[first + i, None], keys[None], values[None], heads))
    return torch.cat(rows)


def one_long_video(q: Tensor, k: Tensor, v: Tensor, frames: int, heads: int) -> Tensor:
    return sc_attn(q, k, v, len(q), heads)


WRONG = one_long_video

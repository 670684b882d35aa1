"""Exercise 04, 2: attention, head by head and place by place."""

import torch
from torch import Tensor


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    out, width = torch.zeros_like(q), q.shape[2] // heads
    for b in range(len(q)):
        for first in range(0, q.shape[2], width):
            own = slice(first, first + width)
            for i in range(q.shape[1]):
                shares = (k[b, :, own] @ q[b, i, own] / width**0.5).softmax(0)  # l
                out[b, i, own] = shares @ v[b, :, own]
    return out


def heads_taken_as_width(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    return attend(q, k, v, q.shape[2] // heads)


WRONG = heads_taken_as_width

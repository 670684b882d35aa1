"""Exercise 09, 1: temporal attention that does not look ahead."""

import torch
import torch.nn.functional as F
from torch import Tensor

from tav.inflation import TemporalAttention


def causal(attention: TemporalAttention, x: Tensor, frames: int) -> Tensor:
    tokens = x.unflatten(0, (-1, frames)).transpose(1, 2)  # b n f d
    layers = (attention.to_q, attention.to_k, attention.to_v)
    # b n heads f e
    q, k, v = (to(tokens).unflatten(-1, (attention.heads, -1)).transpose(2, 3) for to in layers)
    mask = torch.ones(frames, frames, dtype=torch.bool).tril()  # frame i (row) sees j (column)
    # b n f d
    answers = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(2, 3).flatten(-2)
    return attention.to_out[0](answers).transpose(1, 2).flatten(0, 1)


def sees_all(attention: TemporalAttention, x: Tensor, frames: int) -> Tensor:
    return attention(x, frames=frames)


WRONG = sees_all

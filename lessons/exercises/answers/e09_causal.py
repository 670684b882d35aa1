"""Exercise 09, 1: temporal attention that does not look ahead."""

import torch
import torch.nn.functional as F
from torch import Tensor

from tav.inflation import TemporalAttention


def masked(attention: TemporalAttention, x: Tensor, frames: int, mask: Tensor | None) -> Tensor:
    """`mask` (f, f) says whether frame i (row) sees frame j (column); None: all of them."""
    tokens = x.unflatten(0, (-1, frames)).transpose(1, 2)  # b n f d
    layers = (attention.to_q, attention.to_k, attention.to_v)
    # b n heads f e
    q, k, v = (to(tokens).unflatten(-1, (attention.heads, -1)).transpose(2, 3) for to in layers)
    # b n f d
    answers = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(2, 3).flatten(-2)
    return attention.to_out[0](answers).transpose(1, 2).flatten(0, 1)


def causal(attention: TemporalAttention, x: Tensor, frames: int) -> Tensor:
    return masked(attention, x, frames, torch.ones(frames, frames, dtype=torch.bool).tril())


def sees_all(attention: TemporalAttention, x: Tensor, frames: int) -> Tensor:
    return masked(attention, x, frames, None)


def sees_what_comes(attention: TemporalAttention, x: Tensor, frames: int) -> Tensor:
    return masked(attention, x, frames, torch.ones(frames, frames, dtype=torch.bool).triu())


def not_itself(attention: TemporalAttention, x: Tensor, frames: int) -> Tensor:
    mask = torch.ones(frames, frames, dtype=torch.bool).tril(-1)
    mask[0, 0] = True
    return masked(attention, x, frames, mask)


def over_places(attention: TemporalAttention, x: Tensor, frames: int) -> Tensor:
    mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
    layers = (attention.to_q, attention.to_k, attention.to_v)
    q, k, v = (to(x).unflatten(-1, (attention.heads, -1)).transpose(1, 2) for to in layers)
    return attention.to_out[0](
        F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(-2)
    )


WRONG = [sees_all, sees_what_comes, not_itself, over_places]

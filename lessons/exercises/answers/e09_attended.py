"""Exercise 09, 2: to how many frames does Temp-Attn attend?"""

from torch import Tensor

from tav.inflation import TemporalAttention


def frames_attended(attention: TemporalAttention, x: Tensor, frames: int) -> float:
    tokens = x.unflatten(0, (-1, frames)).transpose(1, 2)  # b n f d
    q, k = (
        to(tokens).unflatten(-1, (attention.heads, -1)).transpose(2, 3)  # b n heads f e
        for to in (attention.to_q, attention.to_k)
    )
    logs = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).log_softmax(dim=-1)  # b n heads f f
    entropy = -(logs.exp() * logs).sum(dim=-1)
    return entropy.mean().exp().item()


def over_positions(attention: TemporalAttention, x: Tensor, frames: int) -> float:
    """Each frame by itself: to how many positions."""
    return frames_attended(attention, x.transpose(0, 1), x.shape[1])


WRONG = over_positions

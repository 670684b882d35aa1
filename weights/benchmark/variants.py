"""Attentions to compare the published ones with; `tav.inflate` takes their classes (lesson 12).

Shapes: b prompts, f frames, n tokens of a frame, d token width, as in `tav/inflation.py`.
"""

from torch import Tensor

from tav.inflation import TemporalAttention
from tav.layers import attend


class CausalTemporalAttention(TemporalAttention):
    """Temp-Attn in which no frame sees a later one."""

    def forward(self, x: Tensor, frames: int) -> Tensor:
        n = x.shape[1]
        x = x.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)  # b*n f d
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)
        x = self.to_out[0](attend(q, k, v, self.heads, causal=True))
        return x.unflatten(0, (-1, n)).transpose(1, 2).flatten(0, 1)  # b*n f d -> b*f n d

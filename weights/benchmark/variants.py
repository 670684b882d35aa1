"""Attentions to compare the published ones with; `tav.inflate` takes their classes (lesson 12)."""

from torch import Tensor

from tav.layers import Attention


class PlainAttention(Attention):
    """In SC-Attn's place: each frame attends to itself alone, as in the image model."""

    def forward(self, x: Tensor, frames: int) -> Tensor:
        return super().forward(x)

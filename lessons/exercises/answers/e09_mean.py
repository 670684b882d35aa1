"""Exercise 09, 2: Temp-Attn without attention."""

from torch import Tensor

from tav.layers import Attention


class TemporalMean(Attention):
    def __init__(self, dim: int, heads: int):
        super().__init__(dim, heads)
        del self.to_q, self.to_k  # what gets no gradient must not be there when it is tuned

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:
        values = self.to_v(x).unflatten(0, (-1, frames))  # b f n d
        mean = values.mean(dim=1, keepdim=True).expand_as(values)
        return self.to_out[0](mean.flatten(0, 1))  # b*f n d


class MeanOverPositions(TemporalMean):
    """Frame by frame, over the wrong dimension."""

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:
        return self.to_out[0](self.to_v(x).mean(dim=1, keepdim=True).expand_as(x))


WRONG = MeanOverPositions

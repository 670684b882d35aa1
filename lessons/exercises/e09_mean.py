"""Exercise 09, 2: Temp-Attn without attention."""

from torch import Tensor

from tav.layers import Attention


class TemporalMean(Attention):
    """Each position of a frame gets the mean of the values of this position over all frames of its
    video: no query meets a key. Otherwise as Temp-Attn, with `to_v` and `to_out[0]`.

    x (b*f, n, d) -> (b*f, n, d), the same for all frames of a video. `tav.inflate` takes the class
    as `temporal`.
    """

    def __init__(self, dim: int, heads: int):
        super().__init__(dim, heads)
        del self.to_q, self.to_k  # what gets no gradient must not be there when it is tuned

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:
        raise NotImplementedError

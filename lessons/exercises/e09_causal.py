"""Exercise 09, 1: temporal attention that does not look ahead."""

from torch import Tensor

from tav.inflation import TemporalAttention


def causal(attention: TemporalAttention, x: Tensor, frames: int) -> Tensor:
    """`attention` applied to x (b*f, n, d), where each frame sees only itself and the frames before
    it: (b*f, n, d).

    `attention` has the layers `to_q`, `to_k`, `to_v` and `to_out[0]`, and `heads`. A mask for
    `torch.nn.functional.scaled_dot_product_attention` says True where a query may see a key.
    """
    raise NotImplementedError

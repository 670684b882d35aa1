"""Exercise 08, 1: sparse-causal attention, frame by frame."""

from torch import Tensor


def sc_attn(q: Tensor, k: Tensor, v: Tensor, frames: int, heads: int) -> Tensor:
    """Queries, keys and values (b*f, n, d) of b videos of f = `frames` frames -> (b*f, n, d).

    For each video and each frame i: softmax(q k^T / sqrt(e)) v, head by head, with the keys and
    values of frame 0 and frame max(i - 1, 0) of the same video, 2n of each. `tav.layers.attend`
    does the attention itself.
    """
    raise NotImplementedError

"""Exercise 02, 2: attention that does not look ahead."""

from torch import Tensor


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(e)) v, where position i sees positions 0 ... i only: (b, heads, l, e)
    each.

    From softmax and matrix products; without F.scaled_dot_product_attention.
    """
    raise NotImplementedError

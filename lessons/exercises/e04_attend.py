"""Exercise 04, 2: attention, head by head and place by place."""

from torch import Tensor


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """softmax(q k^T / sqrt(e)) v: q (b, n, d), k and v (b, l, d) -> (b, n, d).

    The first e = d / heads of the d numbers belong to head 0, the next e to head 1, and so on.
    """
    raise NotImplementedError

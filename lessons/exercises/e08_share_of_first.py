"""Exercise 08, 2: how much comes from the first frame?"""

from torch import Tensor


def share_of_first(q: Tensor, k: Tensor, heads: int) -> Tensor:
    """Of the attention of each position, the share (b*f, heads, n) that goes to the first frame.

    q (b*f, n, d) are the queries, k (b*f, 2n, d) the keys that `first_and_previous` gives: n of the
    first frame of the video, then n of the previous one. A head has the scores q k^T / sqrt(e), of
    width e = d / heads.
    """
    raise NotImplementedError

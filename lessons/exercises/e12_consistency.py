"""Exercise 12: frame consistency, of all pairs of frames or of near ones only."""

from torch import Tensor


def consistency(vectors: Tensor, reach: int) -> float:
    """The mean cosine, in percent, of all pairs of frames that are at most `reach` apart.

    `vectors` (f, p) are of any length. With reach 1 it is the consistency of neighbours, with f - 1
    that of all pairs. A frame makes no pair with itself, and each pair counts once.
    """
    raise NotImplementedError

"""Exercise 08, 2: the first frame, and an earlier one."""

from torch import Tensor


def first_and_earlier(x: Tensor, frames: int, back: int) -> Tensor:
    """(b*f, n, d) -> (b*f, 2n, d): for frame i, the tokens of frame 0 and of frame max(i - back, 0)
    of its video."""
    raise NotImplementedError

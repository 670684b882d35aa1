"""Exercise 00, 1: do two videos move alike?"""

from torch import Tensor


def same_motion(one: Tensor, other: Tensor) -> float:
    """The correlation, from -1 to 1, of the motion maps of two videos (f, 3, H, W).

    The f - 1 motion maps (H, W) of a video say how much each pixel changes from one frame to the
    next: the absolute difference, averaged over the three colours.
    """
    raise NotImplementedError

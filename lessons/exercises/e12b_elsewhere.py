"""Exercise 12b: the motion error of a subject that may be somewhere else."""

from torch import Tensor


def motion_error(points: Tensor, truly: Tensor, there: Tensor) -> float:
    """How far points (f, k, 2) are from where they should be, `truly`, in % of the frame's width.

    Only points that are `there` (f, k) count. Unlike the benchmark's error, this one forgives it if
    the whole video is shifted: whoever moves as the right answer does, but stands elsewhere, has
    an error of 0.
    """
    raise NotImplementedError

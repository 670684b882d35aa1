"""Exercise 12b, 1: is one method better than another, or was it luck?"""


def luck(a: dict[int, float], b: dict[int, float]) -> float:
    """The share of all outcomes that are at least as far from zero as the one that was measured, if
    a and b were equally good.

    Each method is given by its score on every clip, under the clip's number; only clips that both
    have count. If the methods were equally good, the difference on each clip might as well have
    had the other sign. n clips thus have 2**n outcomes, all equally likely. What counts of an
    outcome is the sum of its differences; sums that rounding alone sets apart are equal.
    """
    raise NotImplementedError

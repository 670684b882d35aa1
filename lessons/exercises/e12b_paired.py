"""Exercise 12b: is one method better than another, or was it luck?"""


def paired(a: dict[int, float], b: dict[int, float]) -> tuple[float, float]:
    """By how much method a scores above method b, and the standard error of that.

    Each is given by its score on every clip, under the clip's number. Only clips that both have
    count, at least two. Compare clip by clip: what makes a clip hard for both must not blur the
    difference.
    """
    raise NotImplementedError

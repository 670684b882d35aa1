"""Exercise 12b, 1: is one method better than another, or was it luck?"""

from itertools import product


def luck(a: dict[int, float], b: dict[int, float]) -> float:
    differences = [a[clip] - b[clip] for clip in a if clip in b]
    measured = abs(sum(differences))
    outcomes = [
        abs(sum(sign * one for sign, one in zip(signs, differences)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    as_far = sum(outcome >= measured - 1e-9 for outcome in outcomes)
    return as_far / len(outcomes)


def in_one_direction(a: dict[int, float], b: dict[int, float]) -> float:
    """Counts only outcomes in which a is ahead."""
    differences = [a[clip] - b[clip] for clip in a if clip in b]
    measured = sum(differences)
    outcomes = [
        sum(sign * one for sign, one in zip(signs, differences))
        for signs in product((1, -1), repeat=len(differences))
    ]
    return sum(outcome >= measured - 1e-9 for outcome in outcomes) / len(outcomes)


WRONG = in_one_direction

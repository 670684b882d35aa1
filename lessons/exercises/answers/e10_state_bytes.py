"""Exercise 10: how much must a run keep so that it can be resumed to the last bit?"""


def state_bytes(sizes: list[int], steps: int) -> int:
    # weight, two means, counter; losses; scale
    return sum(3 * 4 * size + 4 for size in sizes) + 8 * steps + 4


def without_the_mean_of_squares(sizes: list[int], steps: int) -> int:
    return state_bytes(sizes, steps) - 4 * sum(sizes)


WRONG = without_the_mean_of_squares

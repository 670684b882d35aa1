"""Exercise 12: is one method better than another, or was it luck?"""

from statistics import mean, stdev, variance


def paired(a, b):
    differences = [a[clip] - b[clip] for clip in a if clip in b]
    return mean(differences), stdev(differences) / len(differences) ** 0.5


def not_paired(a, b):
    both = [clip for clip in a if clip in b]
    first, second = [a[clip] for clip in both], [b[clip] for clip in both]
    return mean(first) - mean(second), ((variance(first) + variance(second)) / len(both)) ** 0.5


def in_order_instead_of_by_number(a, b):
    differences = [x - y for x, y in zip(a.values(), b.values())]
    return mean(differences), stdev(differences) / len(differences) ** 0.5


def deviation_for_error(a, b):
    differences = [a[clip] - b[clip] for clip in a if clip in b]
    return mean(differences), stdev(differences)


def too_sure(a, b):
    differences = [a[clip] - b[clip] for clip in a if clip in b]
    spread = mean((d - mean(differences)) ** 2 for d in differences)
    return mean(differences), (spread / len(differences)) ** 0.5


def the_wrong_way_round(a, b):
    return paired(b, a)


def all_clips(a, b):
    differences = [a[clip] - b[clip] for clip in a if clip in b]
    return mean(a.values()) - mean(b.values()), stdev(differences) / len(differences) ** 0.5


WRONG = [
    not_paired,
    in_order_instead_of_by_number,
    deviation_for_error,
    too_sure,
    the_wrong_way_round,
    all_clips,
]

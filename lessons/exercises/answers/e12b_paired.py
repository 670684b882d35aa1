"""Exercise 12b: is one method better than another, or was it luck?"""

from statistics import mean, stdev, variance


def paired(a, b):
    differences = [a[clip] - b[clip] for clip in a if clip in b]
    return mean(differences), stdev(differences) / len(differences) ** 0.5


def not_paired(a, b):
    both = [clip for clip in a if clip in b]
    first, second = [a[clip] for clip in both], [b[clip] for clip in both]
    return mean(first) - mean(second), ((variance(first) + variance(second)) / len(both)) ** 0.5


WRONG = not_paired

"""Exercise 01, 1: how far is one Gaussian from another?"""

from torch import Tensor


def kl(mean: Tensor, logvar: Tensor, other_mean: Tensor, other_logvar: Tensor) -> Tensor:
    distance = (mean - other_mean).square() / other_logvar.exp()
    ratio = logvar - other_logvar
    return 0.5 * (distance + ratio.exp() - 1 - ratio).sum(dim=(1, 2, 3))


def from_the_unit_gaussian(mean, logvar, other_mean, other_logvar):
    return kl(mean, logvar, 0 * mean, 0 * logvar)


def the_other_way_round(mean, logvar, other_mean, other_logvar):
    return kl(other_mean, other_logvar, mean, logvar)


def with_the_distance_not_divided(mean, logvar, other_mean, other_logvar):
    ratio = logvar - other_logvar
    distance = (mean - other_mean).square()
    return 0.5 * (distance + ratio.exp() - 1 - ratio).sum(dim=(1, 2, 3))


def over_all_pictures(mean, logvar, other_mean, other_logvar):
    return kl(mean, logvar, other_mean, other_logvar).sum()


WRONG = [
    from_the_unit_gaussian,
    the_other_way_round,
    with_the_distance_not_divided,
    over_all_pictures,
]

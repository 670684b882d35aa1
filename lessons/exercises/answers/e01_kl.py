"""Exercise 01, 1: how far is one Gaussian from another?"""

from torch import Tensor


def kl(mean: Tensor, logvar: Tensor, other_mean: Tensor, other_logvar: Tensor) -> Tensor:
    distance = (mean - other_mean).square() / other_logvar.exp()
    ratio = logvar - other_logvar
    return 0.5 * (distance + ratio.exp() - 1 - ratio).sum(dim=(1, 2, 3))


def the_other_way_round(mean, logvar, other_mean, other_logvar):
    return kl(other_mean, other_logvar, mean, logvar)


WRONG = the_other_way_round

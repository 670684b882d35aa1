"""Exercise 01, 1: how far is one Gaussian from another?"""

from torch import Tensor


def kl(mean: Tensor, logvar: Tensor, other_mean: Tensor, other_logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(other_mean, exp(other_logvar))), summed over the latents of
    each frame: four times (b, c, h, w) -> (b,).

    With other_mean = 0 and other_logvar = 0 it is the divergence that lesson 01 derives.
    """
    raise NotImplementedError

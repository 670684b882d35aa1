"""Exercise 01, 1: how far is the encoder's Gaussian from the unit one?"""

from torch import Tensor


def kl(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(0, 1)), summed over the latents of each picture: (b, z, h, w)
    twice -> (b,)."""
    raise NotImplementedError

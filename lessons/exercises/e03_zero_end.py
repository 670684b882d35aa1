"""Exercise 03, 1: a chain that ends in nothing but noise."""

from torch import Tensor


def zero_end(alphas_cumprod: Tensor) -> Tensor:
    """Abar_t of n timesteps (n,), falling, with their square roots shifted and scaled so that the
    last is 0 and the first stays what it is: Lin et al. 2023, section 3.1.
    """
    raise NotImplementedError

"""Exercise 03, 1: a chain that ends in nothing but noise."""

from torch import Tensor


def zero_end(alphas_cumprod: Tensor) -> Tensor:
    roots = alphas_cumprod.sqrt()
    first, last = roots[0], roots[-1]
    return ((roots - last) * first / (first - last)) ** 2


def without_roots(alphas_cumprod: Tensor) -> Tensor:
    return zero_end(alphas_cumprod**2).sqrt()


WRONG = without_roots

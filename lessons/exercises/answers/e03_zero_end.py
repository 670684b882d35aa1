"""Exercise 03, 1: a chain that ends in nothing but noise."""

import torch
from torch import Tensor


def zero_end(alphas_cumprod: Tensor) -> Tensor:
    roots = alphas_cumprod.sqrt()
    first, last = roots[0], roots[-1]
    return ((roots - last) * first / (first - last)) ** 2


def without_roots(alphas_cumprod: Tensor) -> Tensor:
    return zero_end(alphas_cumprod**2).sqrt()


def only_the_last(alphas_cumprod: Tensor) -> Tensor:
    return torch.cat([alphas_cumprod[:-1], torch.zeros(1)])


def only_shifted(alphas_cumprod: Tensor) -> Tensor:
    return (alphas_cumprod.sqrt() - alphas_cumprod[-1].sqrt()) ** 2


def scaled_to_one(alphas_cumprod: Tensor) -> Tensor:
    levels = zero_end(alphas_cumprod)
    return levels / levels[0]


WRONG = [without_roots, only_the_last, only_shifted, scaled_to_one]

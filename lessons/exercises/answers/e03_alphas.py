"""Exercise 03, 1: the share of the picture that is left at each timestep."""

import torch
from torch import Tensor


def alphas_cumprod(steps: int, beta_start: float, beta_end: float) -> Tensor:
    betas = torch.linspace(beta_start**0.5, beta_end**0.5, steps) ** 2
    return torch.cumprod(1 - betas, dim=0)


def linear(steps: int, beta_start: float, beta_end: float) -> Tensor:
    return torch.cumprod(1 - torch.linspace(beta_start, beta_end, steps), dim=0)


def one_step_late(steps: int, beta_start: float, beta_end: float) -> Tensor:
    left = alphas_cumprod(steps, beta_start, beta_end)
    return torch.cat([torch.ones(1), left[:-1]])


WRONG = [linear, one_step_late]

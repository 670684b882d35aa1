"""Exercise 03, 1: the share of the picture that is left at each timestep."""

from torch import Tensor


def alphas_cumprod(steps: int, beta_start: float, beta_end: float) -> Tensor:
    """Abar_t for t = 0 ... steps - 1, of betas that are evenly spaced in their square roots:
    (steps,), fp32."""
    raise NotImplementedError

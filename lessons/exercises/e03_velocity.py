"""Exercise 03, 2: what a prediction of v says about x_0 and the noise."""

from torch import Tensor


def from_velocity(v: Tensor, x: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """x_0 and the noise, from x_t and v at the level Abar_t = `alpha` (b, 1, 1, 1); v, x and both
    results (b, c, h, w).

    v = sqrt(Abar) noise - sqrt(1 - Abar) x_0 and x_t = sqrt(Abar) x_0 + sqrt(1 - Abar) noise.
    """
    raise NotImplementedError

"""Exercise 05, 2: one formula for DDIM, DDPM and all between."""

from torch import Tensor


def ddim_step(
    prediction: Tensor, x: Tensor, a: Tensor, a_prev: Tensor, eta: float, noise: Tensor
) -> Tensor:
    """From x_t down to the level `a_prev`: DDIM, equations 12 and 16.

    `prediction` is the noise found in x; `noise` is fresh; both like x (b, c, h, w). `a` and
    `a_prev` are Abar at the present and at the next level, two numbers in tensors. eta 0 draws
    nothing, eta 1 as much as DDPM.
    """
    raise NotImplementedError

"""Exercise 11: one step of inversion, for a network that predicts v."""

from torch import Tensor


def invert_v(v: Tensor, x: Tensor, abar: Tensor, abar_x: Tensor) -> Tensor:
    """The latents at level `abar`, from latents x (f, c, h, w) at the cleaner level `abar_x`.

    `abar` and `abar_x` are Abar of the timestep led to and of the one left. The network was told
    the timestep led to, so its answer is v = sqrt(abar) e - sqrt(1 - abar) x_0, while x =
    sqrt(abar_x) x_0 + sqrt(1 - abar_x) e.
    """
    raise NotImplementedError

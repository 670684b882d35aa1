"""Exercise 11: the loop of DDIM inversion."""

from collections.abc import Callable

from torch import Tensor

from tav.schedule import Schedule


def climb(
    predict: Callable[[Tensor, int], Tensor], latents: Tensor, schedule: Schedule, steps: int
) -> Tensor:
    """The noise that so many steps of DDIM would turn into these latents (f, c, h, w).

    `predict(x, t)` is the network's answer to latents x, told the timestep t. `schedule.timesteps`
    has the grid and `schedule.ddim_invert_step` does one step.
    """
    raise NotImplementedError

"""Exercise 11: inversion that asks again."""

from collections.abc import Callable

from torch import Tensor

from tav.schedule import Schedule


def climb(
    predict: Callable[[Tensor, int], Tensor],
    latents: Tensor,
    schedule: Schedule,
    steps: int,
    rounds: int,
) -> Tensor:
    """The noise that so many steps of DDIM would turn into these latents (f, c, h, w).

    `predict(x, t)` is the network's prediction for latents x and the timestep t. Each step is first
    taken as `tav.sampling.invert` takes it, with the prediction for the latents before the step.
    Then, `rounds` times, ask the network about the latents to which the step has led, and take the
    same step anew, from where it began, with this better prediction.
    """
    raise NotImplementedError

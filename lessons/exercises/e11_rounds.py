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

    `predict(x, t)` is the network's answer to latents x, told the timestep t. Each step is first
    taken as `tav.sampling.invert` takes it, with the network's answer to the latents before the
    step. Then, `rounds` times, ask the network about the latents to which the step has led, and
    take the same step anew with this better answer.
    """
    raise NotImplementedError

"""Exercise 10: what has tuning improved, and at which noise levels?"""

from collections.abc import Callable

from torch import Tensor

from tav.schedule import Schedule


def progress(
    unet: Callable[[Tensor, Tensor, Tensor, int], Tensor],
    schedule: Schedule,
    x0: Tensor,
    text: Tensor,
    timesteps: list[int],
    seed: int,
) -> list[float]:
    """The loss of `Tuning.loss` at each of these timesteps, for clean latents x0 (f, c, h, w).

    The noise is independent for each frame, but the same at every timestep and in every call: draw
    it once, with a `torch.Generator` that has this seed. Only then do two calls, one before tuning
    and one after, differ by nothing but the weights. `unet(x, t, text, frames)` predicts, with the
    timestep t as a tensor (1,). No gradients are needed.
    """
    raise NotImplementedError

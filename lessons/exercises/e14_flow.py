"""Exercise 14, 1: a step of an edit without inversion, for a network that predicts velocities."""

from collections.abc import Callable

from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]


def flow_step(
    with_caption: Velocity,
    with_prompt: Velocity,
    clip: Tensor,
    edit: Tensor,
    noise: Tensor,
    s: float,
    s_next: float,
) -> Tensor:
    """The edit at level `s_next`, from the edit at level `s`.

    Such a network is trained on x_s = (1 - s) x_0 + s noise with 0 <= s <= 1, and sampling follows
    dx / ds = v. `with_caption(x, s)` and `with_prompt(x, s)` are its velocities v for noisy latents
    x (f, c, h, w). `edit` is the clip, plus by how much the noisy latents of the edit, at this
    level, differ from those of the clip: at s = 1 it is the clip, at s = 0 the finished edit.
    `noise` is the noise of this step.
    """
    raise NotImplementedError

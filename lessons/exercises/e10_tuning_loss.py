"""Exercise 10: the loss of one tuning step."""

import torch
from torch import Tensor, nn

from tav.schedule import Schedule
from tav.vae import Posterior


def tuning_loss(
    unet: nn.Module,
    schedule: Schedule,
    posterior: Posterior,
    text: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """One number, the loss of a step on the clip whose latents have the posterior (f, c, h, w).

    Draw from the generator, in this order: the latents, the noise (f, c, h, w), the timestep. The
    UNet is called as `unet(noisy, t, text, frames)`, with t of shape (1,); `schedule.target` says
    what it should answer.
    """
    raise NotImplementedError

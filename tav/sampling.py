"""A clip's latents to noise by DDIM inversion, and noise to an edited video (lessons 05 and 11).

Shapes: f frames, c h w latent channels, height and width, l d text tokens and width. Latents are kept in
fp32; the UNet works in the dtype of its weights. Source: DDIM (Song et al. 2021); Tune-A-Video, section 4.3.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from .schedule import Schedule
from .unet import UNet2DConditionModel
from .vae import decode, encode
from .weights import StableDiffusion

Progress = Callable[[Iterable], Iterable]  # for instance tqdm: passes on what it is given, and shows it


@torch.no_grad()
def invert(
    unet: UNet2DConditionModel,
    latents: Tensor,
    text: Tensor,
    schedule: Schedule,
    steps: int,
    progress: Progress = iter,
) -> Tensor:
    """The noise (f, c, h, w) that DDIM sampling would turn into these latents.

    `text` (1, l, d) is that of the empty prompt, without guidance, as published. The UNet is asked at the
    timestep each step leads to; the first step starts from the noise level of timestep 0.
    """
    x, grid = latents.float(), schedule.timesteps(steps)
    stride = schedule.num_train_timesteps // steps
    for t in progress(grid[::-1]):
        prediction = unet(x.to(text.dtype), torch.tensor([t], device=x.device), text, len(x)).float()
        x = schedule.ddim_invert_step(prediction, x, t, t - stride)
    return x


@torch.no_grad()
def sample(
    unet: UNet2DConditionModel,
    noise: Tensor,
    text: Tensor,
    schedule: Schedule,
    steps: int,
    guidance: float,
    progress: Progress = iter,
) -> Tensor:
    """Noise (f, c, h, w) -> the latents of a video of the prompt, by DDIM with classifier-free guidance.

    `text` (2, l, d) holds the negative (or empty) prompt, then the prompt. The prediction used is
    negative + guidance * (prompt - negative); at guidance 1 only the prompt is evaluated.
    """
    x = noise.float()
    text = text[1:] if guidance == 1 else text
    stride = schedule.num_train_timesteps // steps
    for t in progress(schedule.timesteps(steps)):
        inputs = torch.cat([x] * len(text)).to(text.dtype)  # b*f c h w
        times = torch.full((len(text),), t, device=x.device)
        predictions = unet(inputs, times, text, len(x)).float().chunk(len(text))
        negative, prompt = predictions[0], predictions[-1]
        x = schedule.ddim_step(negative + guidance * (prompt - negative), x, t, t - stride)
    return x


def edit(
    model: StableDiffusion,
    frames: Tensor,
    prompt: str,
    negative: str = "",
    steps: int = 50,
    guidance: float = 12.5,
    progress: Progress = iter,
) -> Tensor:
    """The clip `frames` (f, 3, H, W), inverted and sampled again with another prompt: (f, 3, H, W) in [-1, 1].

    `model.unet` is the video UNet, tuned on this clip. sample.py does the same and keeps the inversion.
    """
    latents = encode(model.vae, frames.to(model.device)).mean
    noise = invert(model.unet, latents, model.embed(""), model.schedule, steps, progress)
    text = model.embed([negative, prompt])
    return decode(model.vae, sample(model.unet, noise, text, model.schedule, steps, guidance, progress))

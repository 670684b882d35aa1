"""A clip's latents to noise by DDIM inversion, and noise to an edited video (lessons 05 and 11).

Shapes: f frames, c h w latent channels, height and width, l d text tokens and width. Latents are
kept in fp32; the UNet works in the dtype of its weights. Source: DDIM (Song et al. 2021);
Tune-A-Video.
"""

import torch
from torch import Tensor

from .model import StableDiffusion
from .tuning import encoded
from .vae import decode


@torch.no_grad()
def invert(
    model: StableDiffusion, latents: Tensor, steps: int, progress=iter, caption: str = ""
) -> Tensor:
    """The noise (f, c, h, w) that DDIM sampling would turn into these latents.

    As published: no caption, no guidance, and the UNet is asked at the timestep each step leads to.
    """
    text = model.embed(caption)  # 1 l d
    x, schedule = latents.float(), model.schedule
    stride = schedule.num_train_timesteps // steps
    for t in progress(schedule.timesteps(steps)[::-1]):
        prediction = model.unet(
            x.to(text.dtype), torch.tensor([t], device=x.device), text, len(x)
        ).float()
        x = schedule.ddim_invert_step(prediction, x, t, t - stride)
    return x


@torch.no_grad()
def sample(
    model: StableDiffusion, noise: Tensor, text: Tensor, steps: int, guidance: float, progress=iter
) -> Tensor:
    """Noise (b*f, c, h, w) -> the latents of b videos of f frames, by DDIM with classifier-free
    guidance.

    `text` (2b, l, d) holds the b negative (or empty) prompts, then the b prompts, which alone count
    at guidance 1.
    """
    x, videos = noise.float(), len(text) // 2
    text = text[videos:] if guidance == 1 else text
    schedule, frames = model.schedule, len(x) // videos
    stride = schedule.num_train_timesteps // steps
    for t in progress(schedule.timesteps(steps)):
        inputs = torch.cat([x] * (len(text) // videos)).to(text.dtype)
        predictions = model.unet(
            inputs, torch.full((len(text),), t, device=x.device), text, frames
        ).float()
        negative, prompt = (
            predictions[: len(x)],
            predictions[-len(x) :],
        )  # one and the same at guidance 1
        x = schedule.ddim_step(negative + guidance * (prompt - negative), x, t, t - stride)
    return x


def edit(
    model,
    frames: Tensor,
    prompt: str,
    negative="",
    steps=None,
    guidance=None,
    progress=iter,
    caption="",
):
    """The clip `frames` (f, 3, H, W) that `model` was tuned on, with another prompt: (f, 3, H, W)
    in [-1, 1].

    Steps and guidance are those of `model.recipe` unless given; `caption` is for `invert`.
    sample.py does the same.
    """
    own = model.recipe("sample")
    steps, guidance = steps or own["steps"], own["guidance"] if guidance is None else guidance
    noise = invert(model, encoded(model, frames).mean, steps, progress, caption)
    text = model.embed([negative, prompt])  # 2 l d
    return decode(model.vae, sample(model, noise, text, steps, guidance, progress))

"""Editing without inversion: the clip moves by the difference of two predictions (lesson 14).

Shapes: f frames, c h w latent channels, height and width. Sources: FlowEdit (Kulikov et al. 2024)
and InfEdit (Xu et al. 2024) for the difference, Plug-and-Play (Tumanyan et al. 2023) for the clip's
attention.
"""

from contextlib import contextmanager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from .inflation import SparseCausalAttention
from .model import StableDiffusion, Unsuitable
from .sampling import predict

WINDOW = 3  # side of the squares of latents over which m is averaged: less noise, and a margin
FULL = 2  # guidance has the strength that is asked for where m is so many times its mean,
MOST = 4  # and nowhere more than so many times that strength
ROUNDING = 1e-6  # what m may be by rounding alone


@torch.no_grad()
def edit_by_difference(
    model: StableDiffusion,
    latents: Tensor,
    caption: str,
    prompt: str,
    steps: int,
    guidance: float,
    negative: str = "",
    seed: int = 0,
    progress=iter,
    taken: float = 0.9,
    attended: float = 0.4,
) -> Tensor:
    """The latents (f, c, h, w) of a clip -> those of its edit, by a model tuned on it or not.

    `caption` says what the clip shows and `prompt` what the edit should. With sigma the noise level
    of `Schedule.sigma`, DDIM follows d(x_0 + sigma noise) / d sigma = prediction of the noise. Here
    the clip and the edit, which begins as the clip, get the same noise, a new one in each step.
    Then the edit moves, from the level of t to that of `previous`, by what the two predictions
    differ in:

        edit <- edit + (sigma(previous) - sigma(t)) * (of the edit with the prompt
                                                       - of the clip with the caption)

    Guidance counts most where these two differ most: m being the square of their difference, it is
    multiplied by m / (2 mean of m), at most 4. Only the last steps, the share `taken`, are done; in
    the first of these, the share `attended`, all attend as the clip does (Unsuitable if the UNet
    has no SC-Attn).
    """
    schedule = model.schedule
    text = model.embed([caption, negative, prompt])  # 3 l d
    pairs = schedule.steps(steps)[round((1 - taken) * steps) :]
    generator = torch.Generator().manual_seed(seed)
    clip = edited = latents.float()
    for i, (t, previous) in enumerate(progress(pairs)):
        noise = torch.randn(clip.shape, generator=generator).to(clip.device)
        noisy_clip = schedule.add_noise(clip, noise, t)
        noisy_edit = schedule.add_noise(edited, noise, t)
        x = torch.cat([noisy_clip, noisy_edit, noisy_edit])  # 3f c h w, in the order of the texts
        with attending_as_first(model) if i < attended * len(pairs) else nullcontext():
            prediction = predict(model, x, t, text)
        _, predicted = schedule.to_x0_and_noise(prediction, x, t)
        of_caption, of_negative, of_prompt = predicted.chunk(3)  # f c h w
        local = where_they_differ(of_caption, of_prompt)
        guided = of_prompt + (guidance - 1) * local * (of_prompt - of_negative)
        fall = schedule.sigma(previous) - schedule.sigma(t)
        edited = edited + fall * (guided - of_caption)
    return edited


def where_they_differ(a: Tensor, b: Tensor) -> Tensor:
    """How much guidance counts where, (f, 1, h, w), from two predictions (f, c, h, w)."""
    m = (a - b).square().mean(dim=1, keepdim=True)  # f 1 h w
    m = F.avg_pool2d(m, WINDOW, stride=1, padding=WINDOW // 2)
    return (m / (FULL * m.mean() + ROUNDING)).clamp(max=MOST)


@contextmanager
def attending_as_first(model: StableDiffusion):
    """Within, all videos of a batch have the SC-Attn queries and keys of the first one: each patch
    takes its content from the positions where that patch of the first video looks."""
    layers = [m for m in model.unet.modules() if isinstance(m, SparseCausalAttention)]
    if not layers:
        raise Unsuitable("the UNet has no SC-Attn to attend by; inflate it, or pass attended=0")
    for layer in layers:
        layer.as_first = True
    try:
        yield
    finally:
        for layer in layers:
            layer.as_first = False

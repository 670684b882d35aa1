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

# With m the squared difference of the two predictions, guidance is multiplied by a factor
# m / (FULL * mean of m).
WINDOW = 3  # m is averaged over squares of latents of this side: less noise, and a margin
FULL = 2  # the factor is 1 where m is so many times its mean
MOST = 4  # the factor is nowhere more
ROUNDING = 1e-6  # keeps the factor near 0 where predictions differ by rounding alone


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

        edit <- edit + (sigma(previous) - sigma(t)) * (prediction(edit, prompt)
                                                       - prediction(clip, caption))

    Guidance counts most where these two differ most: it is multiplied by `where_they_differ`. Of
    the steps only the last are taken, a share `taken`. In the first of those, a share `attended`,
    all attend as the clip does (Unsuitable if the UNet has no SC-Attn).
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
        as_clip = i < attended * len(pairs)
        with attending_as_first(model, len(clip)) if as_clip else nullcontext():
            prediction = predict(model, x, t, text)
        _, predicted = schedule.to_x0_and_noise(prediction, x, t)
        of_caption, of_negative, of_prompt = predicted.chunk(3)  # f c h w
        local = where_they_differ(of_caption, of_prompt)
        guided = of_prompt + (guidance - 1) * local * (of_prompt - of_negative)
        d_sigma = schedule.sigma(previous) - schedule.sigma(t)  # negative
        edited = edited + d_sigma * (guided - of_caption)
    return edited


def where_they_differ(a: Tensor, b: Tensor) -> Tensor:
    """The factor on guidance at each position, (f, 1, h, w), from two predictions (f, c, h, w)."""
    m = (a - b).square().mean(dim=1, keepdim=True)  # f 1 h w
    m = F.avg_pool2d(m, WINDOW, stride=1, padding=WINDOW // 2)
    return (m / (FULL * m.mean() + ROUNDING)).clamp(max=MOST)


@contextmanager
def attending_as_first(model: StableDiffusion, frames: int):
    """Within, all videos of a batch have the SC-Attn queries and keys of the first one.

    Each patch then takes its content from the positions where that patch of the first video looks.
    """
    layers = [m for m in model.unet.modules() if isinstance(m, SparseCausalAttention)]
    if not layers:
        raise Unsuitable("the UNet has no SC-Attn to attend by; inflate it, or pass attended=0")

    def first(layer, inputs, output: Tensor) -> Tensor:  # b*f n d
        return output[:frames].repeat(len(output) // frames, 1, 1)

    projections = [projection for layer in layers for projection in (layer.to_q, layer.to_k)]
    hooks = [projection.register_forward_hook(first) for projection in projections]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

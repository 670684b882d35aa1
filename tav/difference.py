"""Editing without inversion: the clip moves by the difference of two predictions (lesson 14).

Shapes: f frames, c h w latent channels, height and width, n h*w tokens, l d text tokens and width.
Sources: FlowEdit (Kulikov et al. 2024) and InfEdit (Xu et al. 2024) for the difference,
Plug-and-Play (Tumanyan et al. 2023) for the clip's attention.
"""

from contextlib import ExitStack, contextmanager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from .inflation import SparseCausalAttention
from .model import StableDiffusion
from .sampling import predict


@torch.no_grad()
def edit_by_difference(
    model: StableDiffusion,
    latents: Tensor,
    text: Tensor,
    steps: int,
    guidance: float,
    seed: int = 0,
    progress=iter,
    taken: float = 0.9,
    attended: float = 0.4,
) -> Tensor:
    """The latents (f, c, h, w) of a clip -> those of its edit, by a model tuned on it or not.

    `text` (3, l, d) holds the clip's caption, the negative (or empty) prompt, and the prompt. With
    s = sqrt((1 - Abar) / Abar) and y = x_t / sqrt(Abar) = x_0 + s e, DDIM follows dy/ds = e. Here
    the clip and z, which begins as the clip and becomes the edit, get the same noise n, a new one
    in each step. Then z moves, from level s to s', by what the predictions of the noise differ in:

        z <- z + (s' - s) (e(z + s n, prompt) - e(clip + s n, caption))

    Guidance counts most where these two differ most: m being the square of their difference, it is
    multiplied by m / (2 mean of m), at most 4. Only the last steps, the share `taken`, are done; in
    the first of these, the share `attended`, all attend as the clip does.
    """
    schedule, videos = model.schedule, len(text)
    stride = schedule.num_train_timesteps // steps
    timesteps = schedule.timesteps(steps)[round((1 - taken) * steps) :]
    generator = torch.Generator().manual_seed(seed)
    clip = z = latents.float()
    for i, t in enumerate(progress(timesteps)):
        noise = torch.randn(clip.shape, generator=generator).to(clip.device)
        x = schedule.add_noise(torch.cat([clip, z, z]), noise.repeat(videos, 1, 1, 1), t)
        of_clip = i < attended * len(timesteps)
        with attending_as_first(model, videos) if of_clip else nullcontext():
            prediction = predict(model, x, t, text)  # 3f c h w
        _, noises = schedule.to_x0_and_noise(prediction, x, t)
        from_caption, from_negative, from_prompt = noises.chunk(3)  # f c h w
        m = (from_prompt - from_caption).square().mean(dim=1, keepdim=True)  # f 1 h w
        m = F.avg_pool2d(m, kernel_size=3, stride=1, padding=1)  # less noise, and a margin
        local = (m / (2 * m.mean() + 1e-6)).clamp(max=4)  # 1e-6, as rounding is no difference
        guided = from_prompt + (guidance - 1) * local * (from_prompt - from_negative)
        z = z + (schedule.sigma(t - stride) - schedule.sigma(t)) * (guided - from_caption)
    return z


@contextmanager
def attending_as_first(model: StableDiffusion, videos: int):
    """Within, all of so many videos in a batch have the SC-Attn queries and keys of the first: each
    patch takes its content from the places where that patch of the first one looks."""

    def as_first(layer, inputs, output: Tensor) -> Tensor:
        return output[: len(output) // videos].repeat(videos, 1, 1)  # videos*f n d

    with ExitStack() as hooks:  # which are removed at its end
        for module in model.unet.modules():
            if isinstance(module, SparseCausalAttention):
                for layer in (module.to_q, module.to_k):
                    hooks.enter_context(layer.register_forward_hook(as_first))
        yield

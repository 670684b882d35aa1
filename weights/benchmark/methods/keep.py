"""A bound: where nothing should change, sampling stays on the way that inversion came.

Shapes: e edits, f frames, c h w latent channels, height and width.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tav.model import StableDiffusion
from tav.sampling import predict, predict_guided

from ..clips import drawn
from ..job import Job
from ..scores import changed


@dataclass(frozen=True)
class Keep:
    """Tune-A-Video, inverted with the caption. After each step of sampling, the places where the
    ideal edit shows the source get the latents back that inversion passed at this level.

    This is DiffEdit (Couairon et al. 2023) with the true mask where that method guesses one.
    """

    label: str
    bound = True

    def __call__(self, job: Job) -> dict[str, Tensor]:
        model, asked, edits = job.tuned(), job.settings, len(job.prompts)
        passed = trajectory(model, job.latents, asked.steps, job.caption)
        text = model.embed([""] * edits + list(job.prompts.values()))  # 2e l d
        mask = true_mask(job)  # e*f 1 h w
        levels = sorted(passed, reverse=True)
        x = passed[levels[0]].repeat(edits, 1, 1, 1)  # e*f c h w
        for t, previous in zip(levels, levels[1:]):
            prediction = predict_guided(model, x, t, text, asked.guidance)
            x = model.schedule.ddim_step(prediction, x, t, previous)
            x = mask * x + (1 - mask) * passed[previous].repeat(edits, 1, 1, 1)
        return job.decoded(x)


def trajectory(
    model: StableDiffusion, latents: Tensor, steps: int, caption: str
) -> dict[int, Tensor]:
    """What DDIM inversion passes: the latents (f, c, h, w) at each level, by its timestep."""
    text, stride = model.embed(caption), model.schedule.num_train_timesteps // steps
    x, passed = latents, {}
    for t in reversed(model.schedule.timesteps(steps)):
        passed[t - stride] = x
        x = model.schedule.ddim_invert_step(predict(model, x, t, text), x, t, t - stride)
    return passed | {t: x}


def true_mask(job: Job) -> Tensor:
    """1 where an ideal edit differs from the source, else 0: (e*f, 1, h, w)."""
    masks = []
    for name in job.prompts:
        ideals = [drawn(scenes, job.model.size) for scenes in job.clip.ideals(name)]
        masks.append(changed(job.frames, ideals))
    return F.max_pool2d(torch.cat(masks)[:, None].float(), job.model.vae.factor)

"""What nobody asked to change is kept: the source's own latents, step by step (DiffEdit, 2023)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tav.model import StableDiffusion
from tav.sampling import predict, predict_guided

from ..clips import drawn
from ..job import Job
from ..scores import changed
from .steps import both, trajectory


@dataclass(frozen=True)
class Keep:
    """Where the predictions for the caption and for a prompt agree, sampling follows the
    inversion's latents; elsewhere it is Tune-A-Video's, inverted with the caption.

    The mask is that of DiffEdit, but its threshold is an absolute one: where the two pictures that
    the UNet sees in the noisy source, averaged over `draws` of the noise at timestep `t`, are
    further apart than `threshold` (latents have a standard deviation of 1). So a new background is
    a mask around the subject, and a new style is a mask of everything. With `true_mask` it is where
    the ideal edit differs from the source. In the last 1 - `until` of the steps nothing is pasted.
    """

    label: str
    true_mask: bool = False
    threshold: float = 0.25
    draws: int = 4
    t: int = 600
    until: float = 1.0

    def __call__(self, job: Job) -> dict[str, Tensor]:
        model, asked, edits = job.tuned(), job.settings, len(job.prompts)
        kept = trajectory(model, job.latents, asked.steps, job.caption)
        text = both(model, list(job.prompts.values()))
        mask = true_mask(job) if self.true_mask else self.mask(job, model)  # e*f 1 h w
        steps = model.schedule.steps(asked.steps)
        x = kept[steps[0][0]].repeat(edits, 1, 1, 1)  # e*f c h w
        for i, (t, previous) in enumerate(steps):
            prediction = predict_guided(model, x, t, text, asked.guidance)
            x = model.schedule.ddim_step(prediction, x, t, previous)
            if i < self.until * len(steps):
                x = mask * x + (1 - mask) * kept[previous].repeat(edits, 1, 1, 1)
        return job.decoded(x)

    @property
    def bound(self) -> bool:
        return self.true_mask

    def mask(self, job: Job, model: StableDiffusion) -> Tensor:
        """1 where an edit should change something, (e*f, 1, h, w), one place wider than found."""
        text = model.embed([job.caption, *job.prompts.values()])  # 1+e l d
        generator = torch.Generator().manual_seed(job.settings.seed)
        total = 0.0
        for _ in range(self.draws):
            noise = torch.randn(job.latents.shape, generator=generator)
            x = model.schedule.add_noise(job.latents, noise, self.t).repeat(len(text), 1, 1, 1)
            x0, _ = model.schedule.to_x0_and_noise(predict(model, x, self.t, text), x, self.t)
            x0 = x0.unflatten(0, (len(text), -1))  # 1+e f c h w
            total = total + (x0[1:] - x0[:1]) / self.draws
        apart = total.flatten(0, 1).square().mean(dim=1, keepdim=True).sqrt()  # e*f 1 h w
        return F.max_pool2d((apart > self.threshold).float(), 3, stride=1, padding=1)


def true_mask(job: Job) -> Tensor:
    """1 where an ideal edit differs from the source, (e*f, 1, h, w)."""
    masks = []
    for name in job.prompts:
        ideals = [drawn(scenes, job.model.size) for scenes in job.clip.ideals(name)]
        masks.append(changed(job.frames, ideals))
    return F.max_pool2d(torch.cat(masks)[:, None].float(), job.model.vae.factor)

"""Queries and keys of the source's self-attention (Plug-and-Play, 2023)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tav.difference import attending_as_first
from tav.sampling import predict

from ..job import Job
from .steps import both, trajectory


@dataclass(frozen=True)
class SourceAttention:
    """Where each patch looks, in the first `share` of the steps, is decided by the source, which
    goes along as a video of its own and is reset to its inversion's latents at each step."""

    label: str
    share: float = 0.5
    bound = False

    def __call__(self, job: Job) -> dict[str, Tensor]:
        model, asked = job.tuned(), job.settings
        kept = trajectory(model, job.latents, asked.steps, job.caption)
        steps, edits = model.schedule.steps(asked.steps), len(job.prompts)
        caption = model.embed(job.caption)
        text = torch.cat([caption, both(model, list(job.prompts.values()))])  # 1+2e l d
        x = kept[steps[0][0]].repeat(edits, 1, 1, 1)  # e*f c h w
        for i, (t, previous) in enumerate(steps):
            videos = torch.cat([kept[t], x, x])
            if i < self.share * len(steps):
                with attending_as_first(model):
                    prediction = predict(model, videos, t, text)
            else:
                prediction = predict(model, videos, t, text)
            negative, prompt = prediction[len(job.frames) :].chunk(2)
            prediction = negative + asked.guidance * (prompt - negative)
            x = model.schedule.ddim_step(prediction, x, t, previous)
        return job.decoded(x)

"""Tune-A-Video as published, and with one of its parts left out or replaced."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tav.inflation import TRAINED, Parts, SparseCausalAttention, TemporalAttention
from tav.model import StableDiffusion
from tav.sampling import invert

from ..job import Job


@dataclass(frozen=True)
class TuneAVideo:
    """Inflate, tune on the clip, invert it, sample with the prompt.

    `spatial`, `temporal` and `parts` are those of `tav.inflation`. `start` is what sampling begins
    from: the clip "inverted" with an empty prompt, as published, or with its "caption", or "fresh"
    noise.
    """

    label: str
    spatial: type = SparseCausalAttention
    temporal: type | None = TemporalAttention
    parts: Parts = TRAINED
    start: str = "inverted"
    bound = False

    def __call__(self, job: Job) -> dict[str, Tensor]:
        model = self.network(job)
        return job.sampled(model, self.noise(job, model))

    def network(self, job: Job) -> StableDiffusion:
        return job.tuned(self.spatial, self.temporal, self.parts)

    def noise(self, job: Job, model: StableDiffusion) -> Tensor:
        if self.start == "fresh":
            generator = torch.Generator().manual_seed(job.settings.seed)
            return torch.randn(job.latents.shape, generator=generator)
        caption = job.caption if self.start == "caption" else ""
        return invert(model, job.latents, job.settings.steps, caption=caption)


class Untuned(TuneAVideo):
    """The video UNet as inflation leaves it."""

    def network(self, job: Job) -> StableDiffusion:
        return job.inflated(self.spatial, self.temporal)

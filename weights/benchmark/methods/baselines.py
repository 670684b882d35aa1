"""What a method has to beat, and the bound that none can: the source, the ideal, single frames."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tav.sampling import sample
from tav.tuning import encode_clip
from tav.vae import decode

from ..clips import drawn
from ..job import Job


@dataclass(frozen=True)
class Source:
    """Does nothing. What was not asked to change is perfect, and what was asked is missing."""

    label: str
    bound = False

    def __call__(self, job: Job) -> dict[str, Tensor]:
        return {name: job.frames for name in job.prompts}


@dataclass(frozen=True)
class Ideal:
    """The answer, encoded and decoded: as good as any method can be that works on latents."""

    label: str
    bound = True

    def __call__(self, job: Job) -> dict[str, Tensor]:
        videos = {}
        for name in job.prompts:
            ideal = drawn(job.clip.ideals(name)[0], job.model.size)
            videos[name] = decode(job.model.vae, encode_clip(job.model, ideal).mean)
        return videos


@dataclass(frozen=True)
class FrameByFrame:
    """The image model makes each frame as a picture of its own, with the prompt.

    `start` is what sampling begins from: "fresh" noise for each frame, or the "same" for all.
    """

    label: str
    start: str
    bound = False

    def __call__(self, job: Job) -> dict[str, Tensor]:
        asked, model, count = job.settings, job.model, len(job.frames)
        generator = torch.Generator().manual_seed(asked.seed)
        noise = torch.randn(job.latents.shape, generator=generator)  # f c h w
        if self.start == "same":
            noise = noise[:1].expand_as(noise)
        prompts = [prompt for prompt in job.prompts.values() for _ in range(count)]
        text = model.embed([""] * len(prompts) + prompts)  # 2ef l d
        noises = noise.repeat(len(job.prompts), 1, 1, 1)  # e*f c h w: videos of one frame
        return job.decoded(sample(model, noises, text, asked.steps, asked.guidance))

"""Inversion with further rounds a step, so that sampling comes closer to the clip (AIDI, 2023)."""

from dataclasses import dataclass

from torch import Tensor

from ..job import Job
from .steps import grid, trajectory


@dataclass(frozen=True)
class FixedPoint:
    """Tune-A-Video, inverted with its caption in so many further rounds."""

    label: str
    rounds: int = 2
    bound = False

    def __call__(self, job: Job) -> dict[str, Tensor]:
        model, steps = job.tuned(), job.settings.steps
        kept = trajectory(model, job.latents, steps, job.caption, self.rounds)
        first, _ = grid(model, steps)[0]
        return job.sampled(model, kept[first])

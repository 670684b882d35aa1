"""Inversion with further rounds a step, so that sampling comes closer to the clip (AIDI, 2023)."""

from dataclasses import dataclass

from torch import Tensor

from tav.model import StableDiffusion
from tav.sampling import predict

from ..job import Job


@dataclass(frozen=True)
class FixedPoint:
    """Tune-A-Video, inverted with its caption in so many further rounds.

    Each step of inversion assumes that the UNet would say of x_t what it says of the latents
    before, which is not so. A further round asks it about the x_t that came of that, and takes the
    step again.
    """

    label: str
    rounds: int = 2
    bound = False

    def __call__(self, job: Job) -> dict[str, Tensor]:
        model = job.tuned()
        return job.sampled(model, self.inverted(job, model))

    def inverted(self, job: Job, model: StableDiffusion) -> Tensor:
        """The noise (f, c, h, w) of the clip."""
        text, x = model.embed(job.caption), job.latents
        for t, previous in reversed(model.schedule.steps(job.settings.steps)):
            before = x
            for _ in range(1 + self.rounds):
                prediction = predict(model, x, t, text)
                x = model.schedule.ddim_invert_step(prediction, before, t, previous)
        return x

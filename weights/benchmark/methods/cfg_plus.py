"""CFG++ (Chung et al. 2024): guidance moves the picture, but not the noise that is added to it."""

from dataclasses import dataclass

from torch import Tensor

from tav.sampling import invert, predict

from ..job import Job
from .steps import both


@dataclass(frozen=True)
class CFGPlus:
    """Tune-A-Video whose steps take x_0 from a blend of the two predictions, and the noise from the
    one without a prompt. `share` is the prompt's in that blend, at most 1."""

    label: str
    share: float = 0.8
    bound = False

    def __call__(self, job: Job) -> dict[str, Tensor]:
        model, steps = job.tuned(), job.settings.steps
        schedule, text = model.schedule, both(model, list(job.prompts.values()))
        x = invert(model, job.latents, steps).repeat(len(job.prompts), 1, 1, 1)  # e*f c h w
        for t, previous in schedule.steps(steps):
            negative, prompt = predict(model, x.repeat(2, 1, 1, 1), t, text).chunk(2)
            blend = negative + self.share * (prompt - negative)
            x0, _ = schedule.to_x0_and_noise(blend, x, t)
            _, noise = schedule.to_x0_and_noise(negative, x, t)
            x = schedule.add_noise(x0, noise, previous)
        return job.decoded(x)

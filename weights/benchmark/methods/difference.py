"""No inversion: the clip moves by the difference of two predictions (FlowEdit, InfEdit, 2024)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..job import Job
from .steps import both, grid, guided, noise_level, predicted


@dataclass(frozen=True)
class Difference:
    """At each noise level, the same noise is added to the source and to the edit so far; what the
    caption's prediction for the one and the prompt's for the other have in common drops out.

    In y = x_t / sqrt(Abar) = x_0 + s e, with s = sqrt((1 - Abar) / Abar), DDIM follows dy/ds = e.
    So an edit z of the source moves, from the level s to s', by

        z <- z + (s' - s) (e(z + s n, prompt) - e(source + s n, caption))

    averaged over `draws` of the noise n. `start` is the share of the steps that are taken, the last
    ones; `caption` is the guidance of the source's prediction.
    """

    label: str
    draws: int = 2
    start: float = 0.8
    caption: float = 1.0
    guidance: float | None = None  # by default that of the settings
    bound = False

    def __call__(self, job: Job) -> dict[str, Tensor]:
        model, asked, edits = job.tuned(), job.settings, len(job.prompts)
        guidance = self.guidance or asked.guidance
        generator = torch.Generator().manual_seed(asked.seed)
        text, caption = both(model, list(job.prompts.values())), both(model, [job.caption])
        schedule, source = model.schedule, job.latents
        z = source.repeat(edits, 1, 1, 1)  # e*f c h w
        steps = grid(model, asked.steps)
        for t, previous in steps[round((1 - self.start) * len(steps)) :]:
            s, s_next = noise_level(model, t), noise_level(model, previous)
            a = 1 / (1 + s * s)  # Abar
            moves = torch.zeros_like(z)
            for _ in range(self.draws):
                n = torch.randn(source.shape, generator=generator)
                x = a.sqrt() * (z + s * n.repeat(edits, 1, 1, 1))
                x_source = a.sqrt() * (source + s * n)
                e = schedule.to_x0_and_noise(guided(model, x, t, text, guidance), x, t)[1]
                if self.caption == 1:
                    answer = predicted(model, x_source, t, caption[1:])
                else:
                    answer = guided(model, x_source, t, caption, self.caption)
                e_source = schedule.to_x0_and_noise(answer, x_source, t)[1]
                moves += e - e_source.repeat(edits, 1, 1, 1)
            z = z + (s_next - s) * moves / self.draws
        return job.decoded(z)

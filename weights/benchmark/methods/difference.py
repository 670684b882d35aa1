"""No inversion: the clip moves by the difference of two predictions (FlowEdit, InfEdit, 2024)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tav.sampling import predict, predict_guided

from ..job import Job
from .keep import Keep
from .steps import grid, noise_level, trajectory


@dataclass(frozen=True)
class Difference:
    """At each noise level, the same noise is added to the source and to the edit so far; what the
    caption's prediction for the one and the prompt's for the other have in common drops out.

    In y = x_t / sqrt(Abar) = x_0 + s e, with s = sqrt((1 - Abar) / Abar), DDIM follows dy/ds = e.
    So an edit z of the source moves, from the level s to s', by

        z <- z + (s' - s) (e(z + s n, prompt) - e(source + s n, caption))

    averaged over `draws` of the noise n; with `inverted`, n is the one that DDIM inversion finds.
    `start` is the share of the steps that are taken, the last ones. Guidance leads away from the
    empty prompt, or with `from_caption` from the caption, which leaves alone what both prompts
    agree about; `caption` is the guidance of the source's own prediction. What `keep` would keep of
    the source stays as it is.
    """

    label: str
    draws: int = 2
    start: float = 0.8
    caption: float = 1.0
    guidance: float | None = None  # by default that of the settings
    from_caption: bool = False
    inverted: bool = False
    keep: Keep | None = None
    bound = False

    def __call__(self, job: Job) -> dict[str, Tensor]:
        model, asked, edits = job.tuned(), job.settings, len(job.prompts)
        guidance = asked.guidance if self.guidance is None else self.guidance
        generator = torch.Generator().manual_seed(asked.seed)
        away = job.caption if self.from_caption else ""
        text = model.embed([away] * edits + list(job.prompts.values()))  # 2e l d
        caption = model.embed([away, job.caption])  # 2 l d
        kept = trajectory(model, job.latents, asked.steps, job.caption) if self.inverted else {}
        mask = self.keep.mask(job, model) if self.keep else 1  # e*f 1 h w
        schedule, source = model.schedule, job.latents
        z = source.repeat(edits, 1, 1, 1)  # e*f c h w
        steps = grid(model, asked.steps)
        for t, previous in steps[round((1 - self.start) * len(steps)) :]:
            s, s_next = noise_level(model, t), noise_level(model, previous)
            a = 1 / (1 + s * s)  # Abar
            moves, draws = torch.zeros_like(z), 1 if self.inverted else self.draws
            for _ in range(draws):
                noise = torch.randn(source.shape, generator=generator)
                x_source = kept[t] if self.inverted else schedule.add_noise(source, noise, t)
                x = (x_source + a.sqrt() * (z.unflatten(0, (edits, -1)) - source)).flatten(0, 1)
                e = schedule.to_x0_and_noise(predict_guided(model, x, t, text, guidance), x, t)[1]
                if self.from_caption or self.caption == 1:
                    answer = predict(model, x_source, t, caption[1:])
                else:
                    answer = predict_guided(model, x_source, t, caption, self.caption)
                e_source = schedule.to_x0_and_noise(answer, x_source, t)[1]
                moves += e - e_source.repeat(edits, 1, 1, 1)
            z = z + mask * (s_next - s) * moves / draws
        return job.decoded(z)

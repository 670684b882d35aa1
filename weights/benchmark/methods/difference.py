"""No inversion: the clip moves by the difference of two predictions (`tav/difference.py`)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tav.difference import edit_by_difference

from ..job import Job


@dataclass(frozen=True)
class Difference:
    """`taken` and `attended` are those of `edit_by_difference`. The network is tuned on the clip,
    or not `tuned`."""

    label: str
    taken: float = 0.9
    attended: float = 0.4
    tuned: bool = True
    bound = False

    def __call__(self, job: Job) -> dict[str, Tensor]:
        model, asked = job.tuned() if self.tuned else job.inflated(), job.settings
        shares = {"taken": self.taken, "attended": self.attended}
        edited = [
            edit_by_difference(
                model,
                job.latents,
                model.embed([job.caption, "", prompt]),
                asked.steps,
                asked.guidance,
                asked.seed,
                **shares,
            )
            for prompt in job.prompts.values()
        ]
        return job.decoded(torch.cat(edited))

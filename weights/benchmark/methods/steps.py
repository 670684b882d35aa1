"""What the methods beyond Tune-A-Video share.

Shapes: b videos, f frames, c h w latent channels, height and width, l d text tokens and width.
"""

from torch import Tensor

from tav.model import StableDiffusion
from tav.sampling import invert


def trajectory(
    model: StableDiffusion, latents: Tensor, steps: int, caption: str
) -> dict[int, Tensor]:
    """What DDIM inversion passes: the latents (f, c, h, w) at each level, by its timestep."""
    kept = {}
    noise = invert(model, latents, steps, caption=caption, kept=kept)
    highest, _ = model.schedule.steps(steps)[0]
    return kept | {highest: noise}


def both(model: StableDiffusion, prompts: list[str]) -> Tensor:
    """Text states (2b, l, d) for `predict_guided`: empty prompts, then the prompts."""
    return model.embed([""] * len(prompts) + prompts)

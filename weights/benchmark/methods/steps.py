"""What the methods beyond Tune-A-Video share: single steps of inversion and of sampling.

Shapes: b videos, f frames, c h w latent channels, height and width, l d text tokens and width.
"""

from torch import Tensor

from tav.model import StableDiffusion
from tav.sampling import predict


def grid(model: StableDiffusion, steps: int) -> list[tuple[int, int]]:
    """The DDIM steps of sampling: each timestep, and the level that its step leads to."""
    stride = model.schedule.num_train_timesteps // steps
    return [(t, t - stride) for t in model.schedule.timesteps(steps)]


def trajectory(
    model: StableDiffusion, latents: Tensor, steps: int, caption: str, rounds: int = 0
) -> dict[int, Tensor]:
    """DDIM inversion that keeps what it passes: the latents (f, c, h, w) at each level.

    Each step assumes that the UNet would say of x_t what it says of the latents before, which is
    not so. A further round asks it about the x_t that came of that, and takes the step again.
    """
    text = model.embed(caption)
    x = latents
    kept = {}
    for t, previous in reversed(grid(model, steps)):
        kept[previous] = before = x
        for _ in range(1 + rounds):
            prediction = predict(model, x, t, text)
            x = model.schedule.ddim_invert_step(prediction, before, t, previous)
    kept[t] = x
    return kept


def both(model: StableDiffusion, prompts: list[str]) -> Tensor:
    """Text states (2b, l, d) for `predict_guided`: empty prompts, then the prompts."""
    return model.embed([""] * len(prompts) + prompts)

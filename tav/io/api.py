"""What tune.py and sample.py do, as two functions for use from Python (lesson 00).

Shapes: f frames, H W pixels.
"""

from torch import Tensor

from ..difference import edit_by_difference
from ..model import StableDiffusion
from ..sampling import invert, sample
from ..tuning import Tuning, encode_clip
from ..vae import decode
from .devices import use_checkpointing


def tune(
    model: StableDiffusion,
    frames: Tensor,
    prompt: str,
    steps: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    progress=iter,
) -> list[float]:
    """Tune `model.unet`, in place, on the clip `frames` (f, 3, H, W); returns the losses.

    `prompt` is the clip's caption. Steps and learning rate are those of `model.recipe` unless
    given. tune.py does the same, and adds a run folder.
    """
    recipe = model.recipe("tune")
    steps = recipe["steps"] if steps is None else steps
    lr = recipe["lr"] if lr is None else lr
    latents, text = encode_clip(model, frames), model.embed(prompt)
    tuning = Tuning(model, latents, text, lr, seed, use_checkpointing(model, latents))
    for _ in progress(range(steps)):
        tuning.update(tuning.loss())
    return tuning.losses


def edit(
    model: StableDiffusion,
    frames: Tensor,
    prompt: str,
    negative: str = "",
    steps: int | None = None,
    guidance: float | None = None,
    progress=iter,
    caption: str | None = None,
    difference: bool | None = None,
    seed: int = 0,
) -> Tensor:
    """The clip `frames` (f, 3, H, W) that `model` was tuned on, with another prompt, as frames.

    Steps and guidance are those of `model.recipe` unless given, and so is whether to edit by
    `difference` (`tav/difference.py`, which draws noise by the `seed`) or by inversion, as
    published. `caption` is the clip's; a difference needs it (ValueError without it). Inversion
    uses it as its prompt, which is empty as published and by default; weights whose recipe says
    "invert_caption" need it there too. sample.py does the same: same clip, same settings, same
    result.
    """
    recipe = model.recipe("sample")
    steps = recipe["steps"] if steps is None else steps
    guidance = recipe["guidance"] if guidance is None else guidance
    difference = recipe.get("difference", False) if difference is None else difference
    if caption is None and (difference or recipe.get("invert_caption")):
        raise ValueError("these weights edit a clip with the help of its caption; pass `caption`")
    latents = encode_clip(model, frames).mean  # f c h w
    if difference:
        edited = edit_by_difference(
            model, latents, caption, prompt, steps, guidance, negative, seed, progress
        )
    else:
        noise = invert(model, latents, steps, progress, caption or "")
        text = model.embed([negative, prompt])  # 2 l d
        edited = sample(model, noise, text, steps, guidance, progress)
    return decode(model.vae, edited)

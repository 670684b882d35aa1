"""What tune.py and sample.py do, as functions for use from Python (lesson 00).

Shapes: f frames, H W pixels, c h w latent channels, height and width.
"""

from functools import partial

from torch import Tensor

from .difference import edit_by_difference
from .model import StableDiffusion, Unsuitable
from .sampling import invert, sample
from .tuning import Tuning, encode_clip, use_checkpointing
from .vae import Posterior, decode


def quiet(loop, desc: str):
    """No progress bar. tqdm's `tqdm` may take its place."""
    return loop


def tune(
    model: StableDiffusion,
    frames: Tensor,
    prompt: str,
    steps: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    progress=quiet,
) -> list[float]:
    """Tune `model.unet`, in place, on a clip (f, 3, H, W) in [-1, 1] and its caption.

    Returns the losses. Steps and learning rate are those of `model.recipe` unless given. tune.py
    does the same, and adds a run folder.
    """
    recipe = model.recipe("tune")
    steps = recipe["steps"] if steps is None else steps
    lr = recipe["lr"] if lr is None else lr
    latents = encode_clip(model, frames)
    checkpointing = use_checkpointing(model, latents)
    tuning = Tuning(model, latents, model.embed(prompt), lr, seed, checkpointing)
    for _ in progress(range(steps), desc="tuning"):
        tuning.update(tuning.loss())
    return tuning.losses


def edit(
    model: StableDiffusion,
    frames: Tensor,
    prompt: str,
    negative: str = "",
    steps: int | None = None,
    guidance: float | None = None,
    progress=quiet,
    caption: str = "",
    difference: bool = False,
    seed: int = 0,
    latents: Posterior | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """The clip (f, 3, H, W) that `model` was tuned on, with another prompt: frames like its own.

    By inversion, as published, or by `difference` (`tav/difference.py`, which draws noise by the
    `seed`, and needs the clip's `caption`: ValueError). Steps and guidance are those of
    `model.recipe` unless given. The clip's `latents`, and the `noise` (f, c, h, w) to begin from,
    are computed unless given. sample.py does the same: same clip, same settings, same result.
    Unsuitable if the frames are not finite.
    """
    recipe = model.recipe("sample")
    steps = recipe["steps"] if steps is None else steps
    guidance = recipe["guidance"] if guidance is None else guidance
    if difference and not caption:
        raise ValueError("an edit by difference needs the clip's caption; pass `caption`")
    clip = (latents or encode_clip(model, frames)).mean  # f c h w
    sampling = partial(progress, desc=prompt)
    if difference:
        edited = edit_by_difference(
            model, clip, caption, prompt, steps, guidance, negative, seed=seed, progress=sampling
        )
    else:
        if noise is None:
            noise = invert(model, clip, steps, partial(progress, desc="inverting"))
        text = model.embed([negative, prompt])  # 2 l d
        edited = sample(model, noise, text, steps, guidance, sampling)
    video = decode(model.vae, edited, partial(progress, desc="decoding"))
    if not video.isfinite().all():
        raise Unsuitable("the edited frames are not finite numbers")
    return video

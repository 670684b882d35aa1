"""What tune.py and sample.py do, as functions for use from Python (lesson 00).

Shapes: f frames, H W pixels, c h w latent channels, height and width. A clip is its frames
(f, 3, H, W) in [-1, 1] or, to spare the encoding, the posterior of their latents.
"""

from functools import partial

from torch import Tensor

from .difference import edit_by_difference
from .io.devices import use_checkpointing
from .model import StableDiffusion, Unsuitable
from .sampling import invert, sample
from .tuning import Tuning, encode_clip
from .vae import Posterior, decode

Clip = Tensor | Posterior


def quiet(loop, desc: str):
    """No progress bar. tqdm's `tqdm` may take its place."""
    return loop


def begin_tuning(
    model: StableDiffusion, clip: Clip, prompt: str, lr: float, seed: int = 0, memory: str = "auto"
) -> Tuning:
    """The tuning of `model.unet`, in place, on a clip with that caption, before its first step.

    `memory`: see `use_checkpointing`.
    """
    latents = clip if isinstance(clip, Posterior) else encode_clip(model, clip)
    checkpointing = use_checkpointing(model, latents, memory)
    return Tuning(model, latents, model.embed(prompt), lr, seed, checkpointing)


def tune(
    model: StableDiffusion,
    clip: Clip,
    prompt: str,
    steps: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    progress=quiet,
) -> list[float]:
    """Tune `model.unet`, in place, on a clip with that caption; returns the losses.

    Steps and learning rate are those of `model.recipe` unless given. tune.py does the same, and
    adds a run folder.
    """
    recipe = model.recipe("tune")
    steps = recipe["steps"] if steps is None else steps
    lr = recipe["lr"] if lr is None else lr
    tuning = begin_tuning(model, clip, prompt, lr, seed)
    for _ in progress(range(steps), desc="tuning"):
        tuning.update(tuning.loss())
    return tuning.losses


def edit(
    model: StableDiffusion,
    clip: Clip,
    prompt: str,
    negative: str = "",
    steps: int | None = None,
    guidance: float | None = None,
    progress=quiet,
    caption: str = "",
    difference: bool = False,
    seed: int = 0,
    noise: Tensor | None = None,
) -> Tensor:
    """The clip that `model` was tuned on, with another prompt, as frames (f, 3, H, W).

    By inversion, as published, or from `noise` (f, c, h, w) if that is given, or by `difference`
    (`tav/difference.py`, which draws noise by the `seed`). Steps and guidance are those of
    `model.recipe` unless given. A difference needs the clip's `caption`, and so do weights whose
    recipe says "invert_caption" (ValueError). sample.py does the same: same clip, same settings,
    same result. Unsuitable if the frames are not finite.
    """
    recipe = model.recipe("sample")
    steps = recipe["steps"] if steps is None else steps
    guidance = recipe["guidance"] if guidance is None else guidance
    words = caption if recipe.get("invert_caption") else ""
    if not caption and (difference or recipe.get("invert_caption")):
        raise ValueError("this edit needs the clip's caption; pass `caption`")
    posterior = clip if isinstance(clip, Posterior) else encode_clip(model, clip)
    latents, sampling = posterior.mean, partial(progress, desc=prompt)
    if difference:
        how = steps, guidance, negative, seed, sampling
        edited = edit_by_difference(model, latents, caption, prompt, *how)
    else:
        if noise is None:
            noise = invert(model, latents, steps, partial(progress, desc="inverting"), words)
        text = model.embed([negative, prompt])  # 2 l d
        edited = sample(model, noise, text, steps, guidance, sampling)
    video = decode(model.vae, edited, partial(progress, desc="decoding"))
    if not video.isfinite().all():
        raise Unsuitable("the edited frames are not finite numbers")
    return video

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


def quiet(loop, desc: str):
    """No progress bar. tqdm's `tqdm` may take its place."""
    return loop


def latents_of(model: StableDiffusion, clip: Tensor | Posterior) -> Posterior:
    return clip if isinstance(clip, Posterior) else encode_clip(model, clip)


def begin_tuning(
    model: StableDiffusion,
    clip: Tensor | Posterior,
    prompt: str,
    lr: float | None = None,
    seed: int = 0,
    memory: str = "auto",
) -> Tuning:
    """The tuning of `model.unet`, in place, on a clip; `prompt` is its caption. No step is done yet.

    The learning rate is that of `model.recipe` unless given; `memory`: see `use_checkpointing`.
    """
    posterior = latents_of(model, clip)
    lr = model.recipe("tune")["lr"] if lr is None else lr
    checkpointing = use_checkpointing(model, posterior, memory)
    return Tuning(model, posterior, model.embed(prompt), lr, seed, checkpointing)


def tune(
    model: StableDiffusion,
    clip: Tensor | Posterior,
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
    tuning = begin_tuning(model, clip, prompt, lr, seed)
    steps = model.recipe("tune")["steps"] if steps is None else steps
    for _ in progress(range(steps), desc="tuning"):
        tuning.update(tuning.loss())
    return tuning.losses


def edit(
    model: StableDiffusion,
    clip: Tensor | Posterior,
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
    (`tav/difference.py`, which draws noise by the `seed` and needs the clip's caption). Steps and
    guidance are those of `model.recipe` unless given. sample.py does the same: same clip, same
    settings, same result. Unsuitable if the frames are not finite.
    """
    recipe = model.recipe("sample")
    steps = recipe["steps"] if steps is None else steps
    guidance = recipe["guidance"] if guidance is None else guidance
    latents = latents_of(model, clip).mean  # f c h w
    text = model.embed([caption, negative, prompt])  # 3 l d
    steadily = partial(progress, desc=prompt)
    if difference:
        if not caption:
            raise ValueError("an edit by difference needs the clip's caption; pass `caption`")
        edited = edit_by_difference(model, latents, text, steps, guidance, seed, steadily)
    else:
        if noise is None:
            words = caption if recipe.get("invert_caption") else ""
            noise = invert(model, latents, steps, partial(progress, desc="inverting"), words)
        edited = sample(model, noise, text[1:], steps, guidance, steadily)
    video = decode(model.vae, edited, partial(progress, desc="decoding"))
    if not video.isfinite().all():
        raise Unsuitable("the edited frames are not finite numbers")
    return video

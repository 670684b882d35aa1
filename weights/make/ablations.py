"""What the benchmark compares: Tune-A-Video, its variants, and the image model frame by frame.

A method is a network and a noise to begin from. The network is the image UNet, or an inflated one,
tuned or not; a variant is an attention that `inflate` is given, or other parts that train. `args`
are evaluate.py's: frames, steps, tune_steps, lr, guidance, seed.

Shapes: f frames, e edits, n = h*w tokens, d token width, c h w latent channels, height and width.
"""

import copy
from dataclasses import replace

import torch
from torch import Tensor

from tav import sampling, tuning
from tav.inflation import TRAINED, inflate
from tav.model import StableDiffusion
from tav.vae import Posterior, decode
from weights.benchmark.variants import CausalTemporalAttention, PlainAttention

METHODS = {  # name: (label, network, noise); a network is tuned unless it is "image" or "untuned"
    "source": ("the source itself, unedited", None, None),
    "same": ("frame by frame, the same noise", "image", "same"),
    "inverted": ("frame by frame, inverted noise", "image", "inverted"),
    "untuned": ("inflated, untuned", "untuned", "inverted"),
    "causal": ("plain spatial, causal temporal attention", "causal", "inverted"),
    "no-temp": ("without Temp-Attn", "no-temp", "inverted"),
    "no-inversion": ("without inversion", "full", "random"),
    "no-cross": ("without tuning cross-attention queries", "no-cross", "inverted"),
    "full": ("Tune-A-Video", "full", "inverted"),
    "prompted": ("Tune-A-Video, inverted with the caption", "full", "prompted"),
    "ideal": ("the ideal edit, through the VAE", None, None),
    # Run when they are asked for: a baseline that is no still, as "same" is by its nature; what the
    # caption does without tuning; candidates for an improvement that were not taken.
    "fresh": ("frame by frame, a noise each", "image", "random"),
    "untuned-prompted": ("untuned, inverted with the caption", "untuned", "prompted"),
    "mixed": ("Tune-A-Video, a tenth of the noise fresh", "full", "mixed"),
    "negative": ("Tune-A-Video, the caption as negative prompt", "full", "inverted"),
    "both": ("Tune-A-Video, the caption for both", "full", "prompted"),
}
USUAL = list(METHODS)[: list(METHODS).index("ideal") + 1]


# The networks that differ from the published one: what `inflate` is given for them ...
VARIANTS = {
    "causal": {"spatial": PlainAttention, "temporal": CausalTemporalAttention},
    "no-temp": {"temporal": None},
}
# ... and what trains.
TRAINED_INSTEAD = {"no-cross": ("attn1.to_q", "attn_temp")}


def network(
    model: StableDiffusion, kind: str, posterior: Posterior, caption: str, args
) -> StableDiffusion:
    """A copy of the model with the UNet that a method needs, tuned on the clip if it is to be."""
    model = replace(model, unet=copy.deepcopy(model.unet))
    if kind == "image":
        return model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(args.seed)
        inflate(model.unet, **VARIANTS.get(kind, {}))
    if kind != "untuned":
        text = model.embed(caption)
        parts = TRAINED_INSTEAD.get(kind, TRAINED)
        run = tuning.Tuning(model, posterior, text, args.lr, args.seed, parts=parts)
        for _ in range(args.tune_steps):
            run.update(run.loss())
    return model


def noise(
    model: StableDiffusion, network: str, kind: str, latents: Tensor, caption: str, args
) -> Tensor:
    """What sampling begins from, (f, c, h, w)."""
    generator = torch.Generator().manual_seed(args.seed)
    fresh = torch.randn(latents.shape, generator=generator).to(latents.device)
    if kind == "same":
        return fresh[:1].expand_as(fresh)
    if kind == "random":
        return fresh
    if network == "image":
        return torch.cat([sampling.invert(model, latent[None], args.steps) for latent in latents])
    words = caption if kind == "prompted" else ""
    inverted = sampling.invert(model, latents, args.steps, caption=words)
    if kind == "mixed":
        return 0.9**0.5 * inverted + 0.1**0.5 * fresh  # the variance stays 1
    return inverted


def sampled(
    model: StableDiffusion, kind: str, noise: Tensor, prompts: list[str], negative: str, args
) -> Tensor:
    """One video for each prompt, (e, f, 3, H, W).

    The image model takes each frame for a video of its own, with a prompt of its own.
    """
    each = len(noise) if kind == "image" else 1  # prompts a video
    prompted = [prompt for prompt in prompts for _ in range(each)]
    text = model.embed([negative] * len(prompted) + prompted)  # 2e l d, or 2ef l d
    noises = noise.repeat(len(prompts), 1, 1, 1)  # e*f c h w
    latents = sampling.sample(model, noises, text, args.steps, args.guidance)
    return decode(model.vae, latents).unflatten(0, (len(prompts), -1))

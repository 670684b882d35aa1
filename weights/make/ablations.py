"""What the benchmark compares: Tune-A-Video, the image model frame by frame, and the method with a
part left out.

Everything is made from tav's own pieces by switches; nothing in tav/ knows of it. A method is a
network (the image UNet; the inflated one; one with a module exchanged; tuned or not) and a noise to
begin from. `args` are evaluate.py's: frames, steps, tune_steps, lr, guidance, seed.

Shapes: f frames, e edits, n = h*w tokens, d token width, c h w latent channels, height and width.
"""

import copy
from dataclasses import replace

import torch
from torch import Tensor

from tav import sampling, tuning
from tav.inflation import TRAINED, SparseCausalAttention, TemporalAttention, inflate
from tav.layers import Attention, attend
from tav.model import StableDiffusion
from tav.vae import Posterior, decode

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


class PlainAttention(SparseCausalAttention):
    """Each frame attends to itself, as in the image model."""

    def forward(self, x: Tensor, frames: int) -> Tensor:
        return Attention.forward(self, x)


class CausalTemporalAttention(TemporalAttention):
    """Temp-Attn in which no frame sees a later one."""

    def forward(self, x: Tensor, frames: int) -> Tensor:
        n = x.shape[1]
        x = x.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)  # b*n f d
        x = self.to_out[0](
            attend(self.to_q(x), self.to_k(x), self.to_v(x), self.heads, causal=True)
        )
        return x.unflatten(0, (-1, n)).transpose(1, 2).flatten(0, 1)  # b*f n d


# The networks that differ from the published one: how `inflate` makes them, and what trains.
VARIANTS = {
    "causal": {"spatial": PlainAttention, "temporal": CausalTemporalAttention},
    "no-temp": {"temporal": None},
}
PARTS = {"no-cross": ("attn1.to_q", "attn_temp")}


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
        text, parts = model.embed(caption), PARTS.get(kind, TRAINED)
        run = tuning.Tuning(model, posterior, text, args.lr, args.seed, parts=parts)
        for _ in range(args.tune_steps):
            run.update(run.loss())
    return model


def noise(
    model: StableDiffusion, network: str, kind: str, latents: Tensor, caption: str, args
) -> Tensor:
    """What sampling begins from, (f, c, h, w)."""
    fresh = torch.randn(latents.shape, generator=torch.Generator().manual_seed(args.seed)).to(
        latents.device
    )
    if kind == "same":
        return fresh[:1].expand_as(fresh)
    if kind == "random":
        return fresh
    if network == "image":
        return torch.cat([sampling.invert(model, latent[None], args.steps) for latent in latents])
    inverted = sampling.invert(
        model, latents, args.steps, caption=caption if kind == "prompted" else ""
    )
    return 0.9**0.5 * inverted + 0.1**0.5 * fresh if kind == "mixed" else inverted


def sampled(
    model: StableDiffusion, kind: str, noise: Tensor, prompts: list[str], negative: str, args
) -> Tensor:
    """One video for each prompt, (e, f, 3, H, W); the image model takes each frame for a video of
    its own."""
    each = len(noise) if kind == "image" else 1
    text = model.embed(
        [negative] * len(prompts) * each + [prompt for prompt in prompts for _ in range(each)]
    )
    latents = sampling.sample(
        model, noise.repeat(len(prompts), 1, 1, 1), text, args.steps, args.guidance
    )
    return decode(model.vae, latents).unflatten(0, (len(prompts), -1))

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
from torch import Tensor, nn

from tav import sampling, tuning
from tav.inflation import SparseCausalAttention, TemporalAttention, VideoTransformerBlock, inflate
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
    # caption does
    # without tuning; candidates for an improvement that were not taken.
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


class NoAttention(nn.Module):
    """Adds nothing."""

    def forward(self, x: Tensor, frames: int) -> Tensor:
        return torch.zeros_like(x)


def remade(attention: Attention, kind: type[Attention]) -> Attention:
    """The same weights in another class."""
    with torch.device("meta"):
        made = kind(attention.to_q.in_features, attention.heads)
    made.load_state_dict(attention.state_dict(), assign=True)
    return made


def network(
    model: StableDiffusion, kind: str, posterior: Posterior, caption: str, args
) -> StableDiffusion:
    """A copy of the model with the UNet that a method needs, tuned on the clip if it is to be."""
    model = replace(model, unet=copy.deepcopy(model.unet))
    if kind == "image":
        return model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(args.seed)
        inflate(model.unet)
    for block in [m for m in model.unet.modules() if isinstance(m, VideoTransformerBlock)]:
        if kind == "causal":
            block.attn1 = remade(block.attn1, PlainAttention)
            block.attn_temp = remade(block.attn_temp, CausalTemporalAttention)
        if kind == "no-temp":
            block.attn_temp = NoAttention()
    if kind != "untuned":
        run = tuning.Tuning(model, posterior, model.embed(caption), args.lr, args.seed)
        if kind == "no-cross":
            for name in [n for n in run.masters if "attn2.to_q" in n]:
                run.parameters.pop(name).requires_grad_(False)
                run.masters.pop(name)
            run.optimizer.param_groups[0]["params"] = list(run.masters.values())
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

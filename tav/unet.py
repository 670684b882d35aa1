"""The UNet of Stable Diffusion 1.x and 2.x: noisy latents, time and text in, noise out (lesson 04).

Shapes: b prompts, f frames, c channels, h w latent height and width, n = h*w tokens, l text tokens,
d token width. Frames travel folded into the batch, (b*f, c, h, w); an image is a video of one
frame. Beyond one frame look only the ResNet blocks' GroupNorms, and transformer blocks that
`inflate` changed.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .layers import Attention, Downsample2D, FeedForward, ResnetBlock2D, Upsample2D, group_norm

EPS = 1e-5  # ResNet blocks and output norm; the transformer's GroupNorm has 1e-6


def timestep_embedding(t: Tensor, dim: int) -> Tensor:
    """Timesteps t (b,) as (b, dim) in fp32: [cos(t w_k), sin(t w_k)], w_k = 10000^(-k / (dim/2))."""
    k = torch.arange(dim // 2, device=t.device, dtype=torch.float32)
    angles = t[:, None].float() * torch.exp(-math.log(10000) * k / (dim // 2))
    return torch.cat(
        [angles.cos(), angles.sin()], dim=-1
    )  # `flip_sin_to_cos`; above, `downscale_freq_shift` is 0


class Shared(NamedTuple):
    """The sizes that every block of one UNet has in common."""

    groups: int
    time_dim: int
    context_dim: int


class TimestepEmbedding(nn.Sequential):
    """A two-layer MLP from the sinusoids (b, dim) to the embedding (b, time_dim) that ResNet blocks
    read."""

    def __init__(self, dim: int, time_dim: int):
        super().__init__()
        self.linear_1 = nn.Linear(dim, time_dim)
        self.act = nn.SiLU()
        self.linear_2 = nn.Linear(time_dim, time_dim)


class BasicTransformerBlock(nn.Module):
    """Self-attention, attention to the text, feed-forward, each behind a LayerNorm and a residual.

    x is (b*f, n, d), text is (b, l, context_dim). `inflate` turns it into `VideoTransformerBlock`.
    """

    def __init__(self, dim: int, heads: int, context_dim: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn1 = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.attn2 = Attention(dim, heads, context_dim)
        self.norm3 = nn.LayerNorm(dim)
        self.ff = FeedForward(dim)

    def forward(self, x: Tensor, text: Tensor, frames: int = 1) -> Tensor:
        x = x + self.attn1(self.norm1(x))
        x = x + self.cross_attention(self.norm2(x), text)
        return x + self.ff(self.norm3(x))

    def cross_attention(self, x: Tensor, text: Tensor) -> Tensor:
        """Every token of every frame asks the one prompt: keys and values are made once, not per
        frame."""
        return self.attn2(x.reshape(len(text), -1, x.shape[-1]), text).view_as(
            x
        )  # b f*n d, and back


class Transformer2DModel(nn.Module):
    """Feature map (b*f, c, h, w) -> tokens -> a transformer block -> feature map, with a residual."""

    def __init__(self, channels: int, heads: int, net: Shared):
        super().__init__()
        self.norm = nn.GroupNorm(net.groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(
            channels, channels
        )  # in SD 1's files a 1x1 convolution: the same arithmetic
        self.transformer_blocks = nn.ModuleList(
            [BasicTransformerBlock(channels, heads, net.context_dim)]
        )
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, text: Tensor, frames: int = 1) -> Tensor:
        tokens = self.proj_in(self.norm(x).permute(0, 2, 3, 1).flatten(1, 2))  # bf n c
        tokens = self.transformer_blocks[0](tokens, text, frames)
        return x + self.proj_out(tokens).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)


class Level(nn.Module):
    """ResNet blocks of one resolution, with `widths` input channels, and, unless `heads` is None,
    transformers."""

    checkpointing = (
        False  # whether a step keeps only its input, and is done once more for the backward pass
    )

    def __init__(
        self, widths: list[int], channels: int, heads: int | None, attentions: int, net: Shared
    ):
        super().__init__()
        self.resnets = nn.ModuleList(
            [ResnetBlock2D(c, channels, net.groups, EPS, net.time_dim) for c in widths]
        )
        transformers = attentions if heads else 0
        self.attentions = nn.ModuleList(
            [Transformer2DModel(channels, heads, net) for _ in range(transformers)]
        )

    def step(self, i: int, x: Tensor, time: Tensor, text: Tensor, frames: int) -> Tensor:
        def run(x: Tensor) -> Tensor:
            x = self.resnets[i](x, time, frames)
            return self.attentions[i](x, text, frames) if i < len(self.attentions) else x

        return checkpoint(run, x, use_reentrant=False) if self.checkpointing else run(x)

    def forward(self, x: Tensor, time: Tensor, text: Tensor, frames: int) -> Tensor:
        for i in range(len(self.resnets)):
            x = self.step(i, x, time, text, frames)
        return x


class DownBlock(Level):
    """One resolution on the way down, then half of it. Every feature map on the way joins the list
    of skips."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        layers: int,
        down: bool,
        heads: int | None,
        net: Shared,
    ):
        super().__init__([in_channels] + [channels] * (layers - 1), channels, heads, layers, net)
        self.downsamplers = nn.ModuleList([Downsample2D(channels, padding=1)] if down else [])

    def forward(
        self, x: Tensor, skips: list[Tensor], time: Tensor, text: Tensor, frames: int
    ) -> Tensor:
        for i in range(len(self.resnets)):
            x = self.step(i, x, time, text, frames)
            skips.append(x)
        for downsample in self.downsamplers:
            x = downsample(x)
            skips.append(x)
        return x


class UpBlock(Level):
    """One resolution on the way up, whose ResNet blocks each take the last skip; then twice the
    resolution."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        taken: list[int],
        up: bool,
        heads: int | None,
        net: Shared,
    ):
        widths = [in_channels] + [channels] * (len(taken) - 1)
        super().__init__([w + t for w, t in zip(widths, taken)], channels, heads, len(taken), net)
        self.upsamplers = nn.ModuleList([Upsample2D(channels)] if up else [])

    def forward(
        self, x: Tensor, skips: list[Tensor], time: Tensor, text: Tensor, frames: int
    ) -> Tensor:
        for i in range(len(self.resnets)):
            x = self.step(i, torch.cat([x, skips.pop()], dim=1), time, text, frames)
        for upsample in self.upsamplers:
            x = upsample(x)
        return x


class UNet2DConditionModel(nn.Module):
    """Predicts the noise (or v) in latents. Source: diffusers' class of that name, SD 1.x and 2.x.

    For each resolution, high to low, `heads` is its number of attention heads and `attentive`
    whether it has transformers at all (in Stable Diffusion all but the lowest). The middle block
    always has one.
    """

    def __init__(
        self,
        block_out_channels: list[int],
        layers_per_block: int,
        heads: list[int],
        attentive: list[bool],
        cross_attention_dim: int,
        norm_num_groups: int = 32,
    ):
        super().__init__()
        width, last = block_out_channels[0], len(block_out_channels) - 1
        net = Shared(norm_num_groups, 4 * width, cross_attention_dim)
        levels = list(
            enumerate(zip(block_out_channels, [h if a else None for h, a in zip(heads, attentive)]))
        )
        self.time_embedding = TimestepEmbedding(width, net.time_dim)
        self.conv_in = nn.Conv2d(4, width, 3, padding=1)
        skips = [width]
        self.down_blocks = nn.ModuleList()
        for i, (c, h) in levels:
            self.down_blocks.append(DownBlock(width, c, layers_per_block, i < last, h, net))
            skips += [c] * (layers_per_block + (i < last))
            width = c
        self.mid_block = Level(
            [width] * 2, width, heads[-1], 1, net
        )  # ResNet block, transformer, ResNet block
        self.up_blocks = nn.ModuleList()
        for i, (c, h) in reversed(levels):
            taken = [skips.pop() for _ in range(layers_per_block + 1)]
            self.up_blocks.append(UpBlock(width, c, taken, i > 0, h, net))
            width = c
        self.conv_norm_out = nn.GroupNorm(norm_num_groups, width, EPS)
        self.conv_out = nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor, text: Tensor, frames: int = 1) -> Tensor:
        """Latents x (b*f, c, h, w), timesteps t (b,), text states (b, l, d), f = `frames` ->
        prediction as x."""
        time = timestep_embedding(t, self.conv_in.out_channels).to(x.dtype)
        time = self.time_embedding(time).repeat_interleave(frames, dim=0)  # bf time_dim
        x = self.conv_in(x.contiguous(memory_format=torch.channels_last))
        skips = [x]
        for block in self.down_blocks:
            x = block(x, skips, time, text, frames)
        x = self.mid_block(x, time, text, frames)
        for block in self.up_blocks:
            x = block(x, skips, time, text, frames)
        return self.conv_out(F.silu(group_norm(self.conv_norm_out, x, frames)))

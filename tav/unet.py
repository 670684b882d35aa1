"""The UNet of Stable Diffusion 1.x and 2.x: noisy latents, time and text in, noise out (lesson 04).

Shapes: b videos, f frames, c channels, h w latent height and width, n = h*w tokens, l text tokens,
d token width. Frames travel folded into the batch, (b*f, c, h, w); an image is a video of one
frame. Everything works frame by frame, with two exceptions. The GroupNorms of ResNet blocks and of
the output pool their statistics over the frames (the transformers' GroupNorm does not). And the
transformer blocks look at other frames once `inflate` has changed them.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .layers import (
    Attention,
    CrossAttention,
    Downsample2D,
    FeedForward,
    ResnetBlock2D,
    Upsample2D,
    group_norm,
)
from .vae import LATENT

EPS = 1e-5  # of ResNet blocks and the output norm; the transformer's GroupNorm has 1e-6


def timestep_embedding(t: Tensor, dim: int) -> Tensor:
    """Timesteps t (b,) as (b, dim) in fp32: [cos(t w_k), sin(t w_k)], w_k = 10000^(-k / (dim/2)).

    In diffusers' words: `flip_sin_to_cos`, and `downscale_freq_shift` 0.
    """
    k = torch.arange(dim // 2, device=t.device, dtype=torch.float32)
    w = torch.exp(-math.log(10000) * k / (dim // 2))  # dim/2
    angles = t[:, None].float() * w  # b dim/2
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class TimestepEmbedding(nn.Module):
    """From the sinusoids (b, dim) to the embedding (b, time_dim) that the ResNet blocks read."""

    def __init__(self, dim: int, time_dim: int):
        super().__init__()
        self.linear_1 = nn.Linear(dim, time_dim)
        self.linear_2 = nn.Linear(time_dim, time_dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(F.silu(self.linear_1(x)))


class BasicTransformerBlock(nn.Module):
    """Self-attention, attention to the text, feed-forward, each with a LayerNorm and a residual.

    x is (b*f, n, d), text (b, l, text_dim). `inflate` makes a `VideoTransformerBlock` of it.
    """

    def __init__(self, dim: int, heads: int, text_dim: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn1 = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.attn2 = CrossAttention(dim, heads, text_dim)
        self.norm3 = nn.LayerNorm(dim)
        self.ff = FeedForward(dim)

    def forward(self, x: Tensor, text: Tensor, frames: int = 1) -> Tensor:
        x = x + self.attn1(self.norm1(x), frames)
        x = x + self.attn2(self.norm2(x), frames, text)
        return x + self.ff(self.norm3(x))


class Transformer2DModel(nn.Module):
    """Feature map (b*f, c, h, w) -> tokens -> a transformer block -> feature map, with a residual.

    In SD 1's files `proj_in` and `proj_out` are 1x1 convolutions, which is the same arithmetic.
    """

    def __init__(self, channels: int, heads: int, text_dim: int, groups: int):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        block = BasicTransformerBlock(channels, heads, text_dim)
        self.transformer_blocks = nn.ModuleList([block])
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, text: Tensor, frames: int = 1) -> Tensor:
        tokens = self.norm(x).permute(0, 2, 3, 1).flatten(1, 2)  # b*f n c
        tokens = self.transformer_blocks[0](self.proj_in(tokens), text, frames)
        update = self.proj_out(tokens).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)  # b*f c h w
        return x + update


class Level(nn.Module):
    """The layers of one resolution: what `DownBlock`, `MidBlock` and `UpBlock` have in common.

    Layer i is ResNet block i, then transformer i if there is one. `widths` are the input channels
    of the ResNet blocks, and `transformers` counts the transformers. `downsamplers` and
    `upsamplers` hold one layer or none: checkpoints say `downsamplers.0`.

    With `checkpointing` a layer keeps only its input, and the backward pass runs it once more.
    """

    def __init__(
        self,
        widths: list[int],
        channels: int,
        heads: int,
        transformers: int,
        text_dim: int,
        time_dim: int,
        groups: int,
    ):
        super().__init__()
        self.resnets = nn.ModuleList()
        for width in widths:
            self.resnets.append(ResnetBlock2D(width, channels, groups, EPS, time_dim))
        self.attentions = nn.ModuleList()
        for _ in range(transformers):
            self.attentions.append(Transformer2DModel(channels, heads, text_dim, groups))
        self.downsamplers = nn.ModuleList()
        self.upsamplers = nn.ModuleList()
        self.checkpointing = False

    def layer(self, i: int, x: Tensor, time: Tensor, text: Tensor, frames: int) -> Tensor:
        """Layer i of the level: the result is the same with and without checkpointing."""
        if self.checkpointing:
            return checkpoint(self.compute_layer, i, x, time, text, frames, use_reentrant=False)
        return self.compute_layer(i, x, time, text, frames)

    def compute_layer(self, i: int, x: Tensor, time: Tensor, text: Tensor, frames: int) -> Tensor:
        """What layer i computes."""
        x = self.resnets[i](x, time, frames)
        if i < len(self.attentions):
            x = self.attentions[i](x, text, frames)
        return x


class DownBlock(Level):
    """Layers at one resolution, then half of it. Each feature map is appended to `skips`."""

    def forward(
        self, x: Tensor, skips: list[Tensor], time: Tensor, text: Tensor, frames: int
    ) -> Tensor:
        for i in range(len(self.resnets)):
            x = self.layer(i, x, time, text, frames)
            skips.append(x)
        for downsample in self.downsamplers:
            x = downsample(x)
            skips.append(x)
        return x


class MidBlock(Level):
    """Two layers at the lowest resolution, of which only the first has a transformer."""

    def forward(self, x: Tensor, time: Tensor, text: Tensor, frames: int) -> Tensor:
        x = self.layer(0, x, time, text, frames)
        return self.layer(1, x, time, text, frames)


class UpBlock(Level):
    """Layers at one resolution, each of which takes the last skip; then twice the resolution.

    A layer's input is what comes from below and the skip, concatenated: `widths` are their sums.
    """

    def forward(
        self, x: Tensor, skips: list[Tensor], time: Tensor, text: Tensor, frames: int
    ) -> Tensor:
        for i in range(len(self.resnets)):
            x = self.layer(i, torch.cat([x, skips.pop()], dim=1), time, text, frames)
        for upsample in self.upsamplers:
            x = upsample(x)
        return x


class UNet2DConditionModel(nn.Module):
    """Predicts the noise (or v) in latents. Source: diffusers' class of that name, SD 1.x and 2.x.

    The whole of it, for SD 1.4 and an image of 512 x 512 pixels:

        level    channels   side   tokens   ResNet blocks    transformers
        0           320      64     4096    2 down, 3 up     one after each
        1           640      32     1024    2 down, 3 up     one after each
        2          1280      16      256    2 down, 3 up     one after each
        3          1280       8       64    2 down, 3 up     none
        middle     1280       8       64    2                one between them

    The way down keeps 12 feature maps, `conv_in`'s among them, and the way up reads each one once.

    For each level, from the highest resolution to the lowest, `heads` is the number of attention
    heads, and `attentive` whether it has transformers at all. The middle block always has one.
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
        first = block_out_channels[0]  # channels at the highest resolution
        text_dim, time_dim, groups = cross_attention_dim, 4 * first, norm_num_groups
        self.time_embedding = TimestepEmbedding(first, time_dim)
        self.conv_in = nn.Conv2d(LATENT, first, 3, padding=1)
        skips = [first]  # the channels of every feature map that the way down leaves
        before = first  # the channels that come into a level

        self.down_blocks = nn.ModuleList()
        for i, channels in enumerate(block_out_channels):
            widths = [before] + [channels] * (layers_per_block - 1)
            transformers = layers_per_block if attentive[i] else 0
            block = DownBlock(widths, channels, heads[i], transformers, text_dim, time_dim, groups)
            skips += [channels] * layers_per_block
            if i < len(block_out_channels) - 1:  # not at the lowest resolution
                block.downsamplers.append(Downsample2D(channels, padding=1))
                skips.append(channels)
            self.down_blocks.append(block)
            before = channels

        widths = [before, before]
        self.mid_block = MidBlock(widths, before, heads[-1], 1, text_dim, time_dim, groups)

        self.up_blocks = nn.ModuleList()
        for i in reversed(range(len(block_out_channels))):
            channels = block_out_channels[i]
            widths = []
            for _ in range(layers_per_block + 1):
                widths.append(before + skips.pop())
                before = channels
            transformers = layers_per_block + 1 if attentive[i] else 0
            block = UpBlock(widths, channels, heads[i], transformers, text_dim, time_dim, groups)
            if i > 0:
                block.upsamplers.append(Upsample2D(channels))
            self.up_blocks.append(block)

        self.conv_norm_out = nn.GroupNorm(groups, first, EPS)
        self.conv_out = nn.Conv2d(first, LATENT, 3, padding=1)

    def set_checkpointing(self, on: bool) -> None:
        """Turn checkpointing on or off in all levels: less memory, more computing (lesson 13)."""
        for level in [*self.down_blocks, self.mid_block, *self.up_blocks]:
            level.checkpointing = on

    def forward(self, x: Tensor, t: Tensor, text: Tensor, frames: int = 1) -> Tensor:
        """Latents x (b*f, c, h, w), timesteps t (b,), text (b, l, d) -> noise or v, like x."""
        time = timestep_embedding(t, self.conv_in.out_channels).to(x.dtype)  # b c, c of level 0
        time = self.time_embedding(time).repeat_interleave(frames, dim=0)  # b*f time_dim
        x = self.conv_in(x.contiguous(memory_format=torch.channels_last))
        skips = [x]
        for block in self.down_blocks:
            x = block(x, skips, time, text, frames)
        x = self.mid_block(x, time, text, frames)
        for block in self.up_blocks:
            x = block(x, skips, time, text, frames)
        return self.conv_out(F.silu(group_norm(self.conv_norm_out, x, frames)))

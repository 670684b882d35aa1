"""What the VAE and the UNet are made of: attention, feed-forward, ResNet block, resampling (lesson
04).

Shapes: b batch (frames folded in), f frames, c channels, h w height and width, n = h*w tokens, l
context tokens, d token width, e width of a head. Attributes are named as in Stable Diffusion's
files in the diffusers layout.
"""

import torch.nn.functional as F
from torch import Tensor, nn


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, causal: bool = False) -> Tensor:
    """softmax(q k^T / sqrt(e)) v, head by head: q (b, n, d), k and v (b, l, d) with d = heads * e
    -> (b, n, d)."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))  # b heads n e
    return (
        F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(-2)
    )  # b n d


class Attention(nn.Module):
    """Multi-head attention of x (b, n, d) over context (b, l, context_dim), or over x itself.

    Source: `CrossAttention` of latent diffusion; `to_q`, `to_k`, `to_v` have no bias there.
    """

    def __init__(self, dim: int, heads: int, context_dim: int | None = None, bias: bool = False):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias=bias)
        self.to_k = nn.Linear(context_dim or dim, dim, bias=bias)
        self.to_v = nn.Linear(context_dim or dim, dim, bias=bias)
        self.to_out = nn.ModuleList(
            [nn.Linear(dim, dim)]
        )  # a list: checkpoints say `to_out.0` (1 was dropout)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        context = x if context is None else context
        return self.to_out[0](
            attend(self.to_q(x), self.to_k(context), self.to_v(context), self.heads)
        )


class GEGLU(nn.Module):
    """(x W_a) * gelu(x W_b): a linear layer whose second half gates the first (Shazeer 2020)."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.proj = nn.Linear(dim, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        x, gate = self.proj(x).chunk(2, dim=-1)
        return x * F.gelu(gate)


class FeedForward(nn.Sequential):
    """Two layers with a GEGLU of width 4d between; `net.1` was dropout, hence the Identity."""

    def __init__(self, dim: int):
        super().__init__()
        self.net = nn.Sequential(GEGLU(dim, 4 * dim), nn.Identity(), nn.Linear(4 * dim, dim))


def group_norm(norm: nn.GroupNorm, x: Tensor, frames: int = 1) -> Tensor:
    """GroupNorm of x (b*f, c, h, w) whose statistics are shared by the f = `frames` frames of a
    video."""
    if frames == 1:
        return norm(x)
    bf, c, h, w = x.shape
    x = (
        x.permute(0, 2, 3, 1).reshape(bf // frames, frames * h, w, c).permute(0, 3, 1, 2)
    )  # b c f*h w: a view
    return norm(x).permute(0, 2, 3, 1).reshape(bf, h, w, c).permute(0, 3, 1, 2)


class ResnetBlock2D(nn.Module):
    """Two 3x3 convolutions and a shortcut; the time embedding (b, time_dim) shifts each channel
    between.

    The VAE has no time (`time_dim` None) and eps 1e-6; the UNet has eps 1e-5.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        groups: int,
        eps: float,
        time_dim: int | None = None,
    ):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, in_channels, eps)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        if time_dim is not None:
            self.time_emb_proj = nn.Linear(time_dim, out_channels)
        self.norm2 = nn.GroupNorm(groups, out_channels, eps)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        if in_channels != out_channels:
            self.conv_shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor | None = None, frames: int = 1) -> Tensor:
        h = self.conv1(F.silu(group_norm(self.norm1, x, frames)))
        if time is not None:
            h = h + self.time_emb_proj(F.silu(time))[:, :, None, None]
        h = self.conv2(F.silu(group_norm(self.norm2, h, frames)))
        return h + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Downsample2D(nn.Sequential):
    """Halves h and w. The UNet pads all four sides (`padding` 1), the VAE right and bottom only
    (`padding` 0)."""

    def __init__(self, channels: int, padding: int):
        super().__init__()
        if padding == 0:
            self.pad = nn.ZeroPad2d((0, 1, 0, 1))  # left, right, top, bottom
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=padding)


class Upsample2D(nn.Sequential):
    """Doubles h and w: nearest neighbour, then a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.nearest = nn.Upsample(scale_factor=2)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

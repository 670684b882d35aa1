"""What VAE and UNet share: attention, feed-forward, ResNet block, resampling (lesson 04).

Shapes: b batch (frames folded in, unless b*f is written), f frames, c channels, h w height and
width, n = h*w tokens, l context tokens, d token width, e width of a head. Attributes are named as
in Stable Diffusion's files in the diffusers layout. A class without a `forward` is an
`nn.Sequential`, which calls its attributes in the order in which they were set.
"""

import torch.nn.functional as F
from torch import Tensor, nn


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, causal: bool = False) -> Tensor:
    """softmax(q k^T / sqrt(e)) v, head by head: q (b, n, d), k and v (b, l, d) -> (b, n, d).

    The width d is split among the heads, d = heads * e. If `causal`, token i sees only 0 ... i.
    """
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))  # b heads n e
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)  # b heads n e
    return mixed.transpose(1, 2).flatten(-2)  # b n d


class Attention(nn.Module):
    """Multi-head attention of x (b, n, d) over context (b, l, context_dim), or over x itself.

    Source: `CrossAttention` of latent diffusion; `to_q`, `to_k`, `to_v` have no bias there.
    """

    def __init__(self, dim: int, heads: int, context_dim: int | None = None, bias: bool = False):
        super().__init__()
        context_dim = context_dim or dim
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias=bias)
        self.to_k = nn.Linear(context_dim, dim, bias=bias)
        self.to_v = nn.Linear(context_dim, dim, bias=bias)
        # A list, because checkpoints say `to_out.0`; `to_out.1` was dropout.
        self.to_out = nn.ModuleList([nn.Linear(dim, dim)])

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        context = x if context is None else context
        q, k, v = self.to_q(x), self.to_k(context), self.to_v(context)
        return self.to_out[0](attend(q, k, v, self.heads))


class GEGLU(nn.Module):
    """(x W_a) * gelu(x W_b): a linear layer whose second half gates the first (Shazeer 2020)."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.proj = nn.Linear(dim, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        x, gate = self.proj(x).chunk(2, dim=-1)
        return x * F.gelu(gate)


class FeedForward(nn.Sequential):
    """Two layers with a GEGLU of width 4d between, x (b, n, d) -> (b, n, d).

    Checkpoints say `net.0` and `net.2`; `net.1` was dropout, hence the Identity.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.net = nn.Sequential(GEGLU(dim, 4 * dim), nn.Identity(), nn.Linear(4 * dim, dim))


def group_norm(norm: nn.GroupNorm, x: Tensor, frames: int = 1) -> Tensor:
    """GroupNorm of x (b*f, c, h, w) whose statistics are shared by the f = `frames` frames.

    To the norm, a video of f frames looks like one picture that is f times as tall. If x is
    channels-last in memory, (b*f, h, w, c), both reshapings are views and copy nothing on a CPU.
    """
    if frames == 1:
        return norm(x)
    bf, c, h, w = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(bf // frames, frames * h, w, c)  # b f*h w c
    normed = norm(rows.permute(0, 3, 1, 2))  # b c f*h w
    return normed.permute(0, 2, 3, 1).reshape(bf, h, w, c).permute(0, 3, 1, 2)  # b*f c h w


class ResnetBlock2D(nn.Module):
    """Two 3x3 convolutions and a shortcut; the time (b, time_dim) shifts each channel in between.

    The VAE has no time (`time_dim` 0) and eps 1e-6; the UNet has eps 1e-5.
    """

    def __init__(
        self, in_channels: int, out_channels: int, groups: int, eps: float, time_dim: int = 0
    ):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, in_channels, eps)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        if time_dim:
            self.time_emb_proj = nn.Linear(time_dim, out_channels)
        self.norm2 = nn.GroupNorm(groups, out_channels, eps)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        if in_channels != out_channels:
            self.conv_shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor | None = None, frames: int = 1) -> Tensor:
        hidden = self.conv1(F.silu(group_norm(self.norm1, x, frames)))
        if time is not None:
            hidden = hidden + self.time_emb_proj(F.silu(time))[:, :, None, None]  # b c 1 1
        hidden = self.conv2(F.silu(group_norm(self.norm2, hidden, frames)))
        shortcut = self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x
        return hidden + shortcut


class Downsample2D(nn.Sequential):
    """Halves h and w with a convolution of stride 2.

    The UNet pads all four sides (`padding` 1), the VAE the right and bottom only (`padding` 0).
    """

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

"""What VAE and UNet share: attention, feed-forward, ResNet block, resampling (lesson 04).

Shapes: b videos (an image is a video of one frame), f frames, c channels, h w height and width,
n = h*w tokens of a frame, l tokens that are attended to, d token width, e width of a head. Frames
travel folded into the batch: b*f rows, all frames of a video one after the other. Attributes are
named as in Stable Diffusion's files in the diffusers layout.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# What one call of attention cannot exceed: `attend` splits larger batches.
MOST_ROWS = 65_535  # a CUDA grid has no more blocks along y or z; mended in later PyTorch
MOST_SCORES = {"mps": 2**30 - 1}  # Metal writes out all scores, in an array below 2^32 bytes


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, causal: bool = False) -> Tensor:
    """softmax(q k^T / sqrt(e)) v, head by head: q (b, n, d), k and v (b, l, d) -> (b, n, d).

    The width d is split among the heads, d = heads * e. If `causal`, token i sees only 0 ... i.
    """
    # q becomes (b, heads, n, e), k and v (b, heads, l, e).
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    rows = MOST_ROWS
    if q.device.type in MOST_SCORES:
        scores = q[0, ..., 0].numel() * k.shape[2]  # of one row: heads * n * l
        rows = max(1, min(rows, MOST_SCORES[q.device.type] // scores))
    parts = zip(q.split(rows), k.split(rows), v.split(rows))
    mixed = [F.scaled_dot_product_attention(*part, is_causal=causal) for part in parts]
    mixed = torch.cat(mixed) if len(mixed) > 1 else mixed[0]  # b heads n e
    return mixed.transpose(1, 2).flatten(-2)  # b n d


class Attention(nn.Module):
    """Multi-head self-attention of each frame, x (b*f, n, d) -> (b*f, n, d).

    Every attention is called with x and the number of frames of a video, whether it needs that or
    not, so that one can take another's place (`inflate`). Source: `CrossAttention` of latent
    diffusion, where `to_q`, `to_k`, `to_v` have no bias (in the VAE they have one). `text_dim` is
    the width of what `CrossAttention` attends to.
    """

    def __init__(self, dim: int, heads: int, text_dim: int | None = None, bias: bool = False):
        super().__init__()
        text_dim = text_dim or dim
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias=bias)
        self.to_k = nn.Linear(text_dim, dim, bias=bias)
        self.to_v = nn.Linear(text_dim, dim, bias=bias)
        # A list, because checkpoints say `to_out.0`; `to_out.1` was dropout.
        self.to_out = nn.ModuleList([nn.Linear(dim, dim)])

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)  # b*f n d
        return self.to_out[0](attend(q, k, v, self.heads))


class CrossAttention(Attention):
    """Attention of x (b*f, n, d) to `text` (b, l, text_dim): every frame to its video's text.

    Keys and values are computed once for each text, and repeated for the frames.
    """

    def forward(self, x: Tensor, frames: int, text: Tensor) -> Tensor:
        q = self.to_q(x)  # b*f n d
        k = self.to_k(text).repeat_interleave(frames, dim=0)  # b*f l d
        v = self.to_v(text).repeat_interleave(frames, dim=0)  # b*f l d
        return self.to_out[0](attend(q, k, v, self.heads))


class GEGLU(nn.Module):
    """(x W_a) * gelu(x W_b): a linear layer whose second half gates the first (Shazeer 2020)."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.proj = nn.Linear(dim, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        x, gate = self.proj(x).chunk(2, dim=-1)
        return x * F.gelu(gate)


class FeedForward(nn.Module):
    """A GEGLU of width 4d, then a linear layer, x (b*f, n, d) -> (b*f, n, d).

    Checkpoints say `net.0` and `net.2`; `net.1` was dropout, hence the Identity.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.net = nn.Sequential(GEGLU(dim, 4 * dim), nn.Identity(), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def group_norm(norm: nn.GroupNorm, x: Tensor, frames: int = 1) -> Tensor:
    """GroupNorm of x (b*f, c, h, w) whose statistics are shared by the f = `frames` frames.

    To the norm, a video of f frames looks like one image that is f times as tall. If x is
    channels-last in memory, (b*f, h, w, c), both reshapings are views and copy nothing on a CPU.
    """
    if frames == 1:
        return norm(x)
    bf, c, h, w = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(bf // frames, frames * h, w, c)  # b f*h w c
    normed = norm(rows.permute(0, 3, 1, 2))  # b c f*h w
    return normed.permute(0, 2, 3, 1).reshape(bf, h, w, c).permute(0, 3, 1, 2)  # b*f c h w


class ResnetBlock2D(nn.Module):
    """Two 3x3 convolutions and a shortcut, x (b*f, c, h, w); the time (b*f, time_dim) shifts each
    channel in between.

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
        self.conv_shortcut = nn.Identity()
        if in_channels != out_channels:
            self.conv_shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor | None = None, frames: int = 1) -> Tensor:
        hidden = self.conv1(F.silu(group_norm(self.norm1, x, frames)))
        if time is not None:
            hidden = hidden + self.time_emb_proj(F.silu(time))[:, :, None, None]  # b*f c 1 1
        hidden = self.conv2(F.silu(group_norm(self.norm2, hidden, frames)))
        return self.conv_shortcut(x) + hidden


class Downsample2D(nn.Module):
    """Halves h and w with a convolution of stride 2.

    The UNet pads all four sides (`padding` 1), the VAE the right and bottom only (`padding` 0).
    """

    def __init__(self, channels: int, padding: int):
        super().__init__()
        self.pad = nn.Identity()
        if padding == 0:
            self.pad = nn.ZeroPad2d((0, 1, 0, 1))  # left, right, top, bottom
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.pad(x))


class Upsample2D(nn.Module):
    """Doubles h and w: nearest neighbour, then a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))

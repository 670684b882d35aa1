"""Frames <-> latents: the autoencoder of latent diffusion (lesson 01).

Shapes: b images, f frames, H W their height and width in pixels, h w those of the latents (H/8 and
W/8), c channels (4 in a latent), n = h*w tokens. All eps are 1e-6.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Attention, Downsample2D, ResnetBlock2D, Upsample2D

EPS = 1e-6  # latent diffusion's `Normalize`
LATENT = 4  # channels of a latent
PIXELS_AT_ONCE = 4 * 128 * 128  # more at once is no faster on a CPU, and takes more memory


@dataclass
class Posterior:
    """What the encoder predicts, in scaled units: an independent Gaussian for each latent value."""

    mean: Tensor  # b c h w
    std: Tensor  # b c h w

    def sample(self, generator: torch.Generator) -> Tensor:
        """mean + std * noise, (b, c, h, w); the noise is drawn on the generator's own device."""
        noise = torch.randn(self.mean.shape, generator=generator, device=generator.device)
        return self.mean + self.std * noise.to(self.mean)


class SpatialAttention(Attention):
    """Self-attention of one head over the positions of a feature map (b, c, h, w), with a residual.

    It extends `Attention` because checkpoints have the norm beside `to_q`, `to_k` and the others.
    """

    def __init__(self, channels: int, groups: int):
        super().__init__(channels, heads=1, bias=True)
        self.group_norm = nn.GroupNorm(groups, channels, EPS)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)  # b n c
        update = super().forward(tokens).transpose(1, 2).unflatten(2, x.shape[2:])  # b c h w
        return x + update


class Level(nn.Module):
    """ResNet blocks at one resolution, then half of it (encoder) or twice of it (decoder).

    `before` is the number of channels that come in. `downsamplers` and `upsamplers` hold one layer
    or none: checkpoints say `downsamplers.0`.
    """

    def __init__(self, before: int, channels: int, layers: int, groups: int):
        super().__init__()
        self.resnets = nn.ModuleList()
        for i in range(layers):
            width = before if i == 0 else channels
            self.resnets.append(ResnetBlock2D(width, channels, groups, EPS))
        self.downsamplers = nn.ModuleList()
        self.upsamplers = nn.ModuleList()

    def forward(self, x: Tensor) -> Tensor:
        for layer in [*self.resnets, *self.downsamplers, *self.upsamplers]:
            x = layer(x)
        return x


class MidBlock(nn.Module):
    """ResNet block, attention, ResNet block, at the lowest resolution."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        resnets = [ResnetBlock2D(channels, channels, groups, EPS) for _ in range(2)]
        self.resnets = nn.ModuleList(resnets)
        self.attentions = nn.ModuleList([SpatialAttention(channels, groups)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.resnets[0](x)
        x = self.attentions[0](x)
        return self.resnets[1](x)


class Encoder(nn.Module):
    """Images (b, 3, H, W) -> mean and log-variance stacked (b, 2c, h, w)."""

    def __init__(self, channels: list[int], layers: int, groups: int):
        super().__init__()
        self.conv_in = nn.Conv2d(3, channels[0], 3, padding=1)
        self.down_blocks = nn.ModuleList()
        before = channels[0]
        for i in range(len(channels)):
            level = Level(before, channels[i], layers, groups)
            if i < len(channels) - 1:
                level.downsamplers.append(Downsample2D(channels[i], padding=0))
            self.down_blocks.append(level)
            before = channels[i]
        self.mid_block = MidBlock(before, groups)
        self.conv_norm_out = nn.GroupNorm(groups, before, EPS)
        self.conv_out = nn.Conv2d(before, 2 * LATENT, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down_blocks:
            x = level(x)
        x = self.mid_block(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class Decoder(nn.Module):
    """Latents (b, c, h, w) -> images (b, 3, H, W).

    Each level has one ResNet block more than the encoder's. `channels` are in the encoder's order,
    from the highest resolution to the lowest.
    """

    def __init__(self, channels: list[int], layers: int, groups: int):
        super().__init__()
        before = channels[-1]
        self.conv_in = nn.Conv2d(LATENT, before, 3, padding=1)
        self.mid_block = MidBlock(before, groups)
        self.up_blocks = nn.ModuleList()
        for i in reversed(range(len(channels))):
            level = Level(before, channels[i], layers + 1, groups)
            if i > 0:
                level.upsamplers.append(Upsample2D(channels[i]))
            self.up_blocks.append(level)
            before = channels[i]
        self.conv_norm_out = nn.GroupNorm(groups, before, EPS)
        self.conv_out = nn.Conv2d(before, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mid_block(self.conv_in(x))
        for level in self.up_blocks:
            x = level(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class AutoencoderKL(nn.Module):
    """The VAE of Stable Diffusion (Rombach et al. 2022, section 3.1; diffusers' `AutoencoderKL`).

    `scaling_factor` (0.18215 in Stable Diffusion) is 1 over the standard deviation of the training
    latents: scaled, they have the variance of 1 that the schedule assumes.
    """

    def __init__(
        self,
        block_out_channels: list[int],
        layers_per_block: int,
        norm_num_groups: int,
        scaling_factor: float,
    ):
        super().__init__()
        self.encoder = Encoder(block_out_channels, layers_per_block, norm_num_groups)
        self.decoder = Decoder(block_out_channels, layers_per_block, norm_num_groups)
        self.quant_conv = nn.Conv2d(2 * LATENT, 2 * LATENT, 1)
        self.post_quant_conv = nn.Conv2d(LATENT, LATENT, 1)
        self.scaling_factor = scaling_factor
        self.factor = 2 ** (len(block_out_channels) - 1)  # pixels per latent, along each side

    def encode(self, frames: Tensor) -> Posterior:
        """Frames (b, 3, H, W) in [-1, 1] -> the posterior of their scaled latents (b, c, h, w)."""
        mean, logvar = self.quant_conv(self.encoder(frames)).chunk(2, dim=1)
        std = torch.exp(0.5 * logvar.clamp(-30.0, 20.0))  # the clamp is latent diffusion's
        return Posterior(mean * self.scaling_factor, std * self.scaling_factor)

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents (b, c, h, w) -> frames (b, 3, H, W), about [-1, 1] and not clamped."""
        return self.decoder(self.post_quant_conv(latents / self.scaling_factor))


@torch.no_grad()
def encode(vae: AutoencoderKL, frames: Tensor, progress=iter) -> Posterior:
    """Frames (f, 3, H, W) in [-1, 1] -> the posterior of their latents (f, c, h, w), in fp32.

    A few frames at a time: `progress` may wrap those batches in a progress bar.
    """
    pixels = frames[0, 0].numel()  # of one frame
    batches = frames.split(max(1, PIXELS_AT_ONCE // pixels))
    parts = [vae.encode(batch.to(vae.quant_conv.weight)) for batch in progress(batches)]
    # Contiguous, whatever the layout of the weights was.
    mean = torch.cat([part.mean for part in parts]).float().contiguous()
    std = torch.cat([part.std for part in parts]).float().contiguous()
    return Posterior(mean, std)


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: Tensor, progress=iter) -> Tensor:
    """Latents (f, c, h, w) -> frames (f, 3, H, W) in [-1, 1], fp32, on the CPU."""
    pixels = latents[0, 0].numel() * vae.factor**2  # of one frame
    batches = latents.split(max(1, PIXELS_AT_ONCE // pixels))
    parts = [vae.decode(batch.to(vae.quant_conv.weight)) for batch in progress(batches)]
    return torch.cat([part.float().cpu() for part in parts]).clamp(-1, 1).contiguous()


def from_bytes(pixels: Tensor) -> Tensor:
    """Bytes, of any shape, as values in [-1, 1]."""
    return pixels.float() / 127.5 - 1


def to_uint8(frames: Tensor) -> np.ndarray:
    """Frames (f, 3, H, W) in [-1, 1] as images of bytes (f, H, W, 3)."""
    pixels = ((frames.float().clamp(-1, 1) + 1) * 127.5).round().byte()  # undoes `from_bytes`
    return pixels.permute(0, 2, 3, 1).cpu().numpy()

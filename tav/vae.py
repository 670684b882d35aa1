"""Frames <-> latents: the autoencoder of latent diffusion (lesson 01).

Shapes: b pictures, c channels, H W pixels, h w = H/8 W/8 latent height and width, z latent
channels. All eps are 1e-6.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .layers import Attention, Downsample2D, ResnetBlock2D, Upsample2D

EPS = 1e-6  # latent diffusion's `Normalize`
LATENT = 4  # channels of a latent
PIXELS_AT_ONCE = 4 * 128 * 128  # more at once is no faster on a CPU, and takes more memory


@dataclass
class Posterior:
    """The encoder's answer, in scaled units: an independent Gaussian for each latent value."""

    mean: Tensor  # b z h w
    std: Tensor  # b z h w

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """mean + std * noise, (b, z, h, w); the noise is drawn on the generator's own device."""
        device = self.mean.device if generator is None else generator.device
        noise = torch.randn(self.mean.shape, generator=generator, device=device)
        return self.mean + self.std * noise.to(self.mean)


class SpatialAttention(Attention):
    """Self-attention of one head over the places of a feature map (b, c, h, w), with a residual."""

    def __init__(self, channels: int, groups: int):
        super().__init__(channels, heads=1, bias=True)
        self.group_norm = nn.GroupNorm(groups, channels, EPS)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)  # b n c
        update = super().forward(tokens).transpose(1, 2).unflatten(2, x.shape[2:])  # b c h w
        return x + update


class MidBlock(nn.Module):
    """ResNet block, attention, ResNet block, at the lowest resolution."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        resnets = [ResnetBlock2D(channels, channels, groups, EPS) for _ in range(2)]
        self.resnets = nn.ModuleList(resnets)
        self.attentions = nn.ModuleList([SpatialAttention(channels, groups)])

    def forward(self, x: Tensor) -> Tensor:
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Stage(nn.Sequential):
    """ResNet blocks at one resolution, then a change of it ("down", "up" or None)."""

    def __init__(self, before: int, channels: int, layers: int, groups: int, change: str | None):
        super().__init__()
        widths = [before] + [channels] * (layers - 1)  # what comes into each ResNet block
        self.resnets = nn.Sequential(*(ResnetBlock2D(c, channels, groups, EPS) for c in widths))
        if change == "down":
            self.downsamplers = nn.Sequential(Downsample2D(channels, padding=0))
        if change == "up":
            self.upsamplers = nn.Sequential(Upsample2D(channels))


def stages(channels: list[int], layers: int, groups: int, change: str) -> nn.Sequential:
    """A stage for each width; all but the last change the resolution."""
    before = [channels[0], *channels[:-1]]
    changes = [change] * (len(channels) - 1) + [None]
    made = [Stage(b, c, layers, groups, x) for b, c, x in zip(before, channels, changes)]
    return nn.Sequential(*made)


class Encoder(nn.Sequential):
    """Pictures (b, 3, H, W) -> mean and log-variance stacked (b, 2z, h, w)."""

    def __init__(self, channels: list[int], layers: int, groups: int):
        super().__init__()
        self.conv_in = nn.Conv2d(3, channels[0], 3, padding=1)
        self.down_blocks = stages(channels, layers, groups, "down")
        self.mid_block = MidBlock(channels[-1], groups)
        self.conv_norm_out = nn.GroupNorm(groups, channels[-1], EPS)
        self.conv_act = nn.SiLU()
        self.conv_out = nn.Conv2d(channels[-1], 2 * LATENT, 3, padding=1)


class Decoder(nn.Sequential):
    """Latents (b, z, h, w) -> pictures (b, 3, H, W); a stage has one ResNet block more here."""

    def __init__(self, channels: list[int], layers: int, groups: int):
        super().__init__()
        channels = channels[::-1]
        self.conv_in = nn.Conv2d(LATENT, channels[0], 3, padding=1)
        self.mid_block = MidBlock(channels[0], groups)
        self.up_blocks = stages(channels, layers + 1, groups, "up")
        self.conv_norm_out = nn.GroupNorm(groups, channels[-1], EPS)
        self.conv_act = nn.SiLU()
        self.conv_out = nn.Conv2d(channels[-1], 3, 3, padding=1)


class AutoencoderKL(nn.Module):
    """The VAE of Stable Diffusion (Rombach et al. 2022, section 3.1; diffusers' `AutoencoderKL`).

    `scaling_factor`, 1 over the standard deviation of its training latents, gives them the
    schedule's variance of 1.
    """

    def __init__(
        self,
        block_out_channels: list,
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
        """Frames (b, 3, H, W) in [-1, 1] -> the posterior of their scaled latents (b, z, h, w)."""
        mean, logvar = self.quant_conv(self.encoder(frames)).chunk(2, dim=1)
        std = torch.exp(0.5 * logvar.clamp(-30.0, 20.0))  # the clamp is latent diffusion's
        return Posterior(mean * self.scaling_factor, std * self.scaling_factor)

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents (b, z, h, w) -> frames (b, 3, H, W), about [-1, 1] and not clamped."""
        return self.decoder(self.post_quant_conv(latents / self.scaling_factor))


def at_once(height: int, width: int) -> int:
    """How many frames of that size `encode` and `decode` take at once."""
    return max(1, PIXELS_AT_ONCE // (height * width))


@torch.no_grad()
def encode(vae: AutoencoderKL, frames: Tensor, progress=iter) -> Posterior:
    """Frames (f, 3, H, W) in [-1, 1] -> the posterior of their latents (f, z, h, w), in fp32.

    A few frames at a time: `progress` may wrap those batches in a progress bar.
    """
    batches = frames.split(at_once(*frames.shape[2:]))
    parts = [vae.encode(batch.to(vae.quant_conv.weight)) for batch in progress(batches)]
    # Contiguous, whatever the layout of the weights was.
    mean = torch.cat([part.mean for part in parts]).float().contiguous()
    std = torch.cat([part.std for part in parts]).float().contiguous()
    return Posterior(mean, std)


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: Tensor, progress=iter) -> Tensor:
    """Latents (f, z, h, w) -> frames (f, 3, H, W) in [-1, 1], fp32, on the CPU."""
    height, width = (vae.factor * side for side in latents.shape[2:])
    batches = latents.split(at_once(height, width))
    parts = [vae.decode(batch.to(vae.quant_conv.weight)) for batch in progress(batches)]
    return torch.cat([part.float().cpu() for part in parts]).clamp(-1, 1).contiguous()


def to_uint8(frames: Tensor) -> np.ndarray:
    """Frames (f, 3, H, W) in [-1, 1] as bytes (f, H, W, 3): rounded, and clamped."""
    levels = ((frames.float().clamp(-1, 1) + 1) * 127.5).round()
    return levels.byte().permute(0, 2, 3, 1).cpu().numpy()

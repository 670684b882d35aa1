"""One Stable Diffusion: its parts together, and its settings (lesson 06)."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from .schedule import Schedule
from .text import CLIPTextModel, Tokenizer
from .unet import UNet2DConditionModel
from .vae import AutoencoderKL

# The settings of Tune-A-Video's published code.
PUBLISHED = {
    "tune": {"frames": 24, "stride": 2, "steps": 500, "lr": 3e-5},
    "sample": {"steps": 50, "guidance": 12.5},
}


class Unsuitable(ValueError):
    """What was given does not suit the model or the method: the user's mistake, not a bug."""


@dataclass
class StableDiffusion:
    """The parts of one text-to-image model, frozen, on one device. The dtype is the UNet's: text
    encoder and VAE, which run once, may have a more precise one."""

    tokenizer: Tokenizer
    text_encoder: CLIPTextModel
    vae: AutoencoderKL
    unet: UNet2DConditionModel
    schedule: Schedule
    path: str  # where it came from, as the user named it
    hash: str  # sha256 of the weights' bytes, and of what the configs say
    size: int  # pixels along a side, as the UNet was trained
    # The weights' own settings, by command: frames, steps, lr, example prompts ...
    defaults: dict = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        return self.unet.conv_in.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.unet.conv_in.weight.dtype

    @property
    def multiple(self) -> int:
        """Sides of an image must be multiples of this (SD: 8 for the VAE times 8 for the UNet)."""
        return self.vae.factor * 2 ** (len(self.unet.down_blocks) - 1)

    def recipe(self, command: str) -> dict:
        """Settings for "tune" or "sample": the published ones, overridden by the weights' own."""
        return {"size": self.size} | PUBLISHED[command] | self.defaults.get(command, {})

    @torch.no_grad()
    def embed(self, prompts: str | list[str]) -> Tensor:
        """Text states (b, l, d) of b prompts, in the UNet's dtype: the encoder may have another."""
        ids = self.tokenizer(prompts).to(self.device)
        return self.text_encoder(ids).to(self.dtype)

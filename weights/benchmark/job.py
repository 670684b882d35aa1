"""What a method is given: one clip, the prompts of its edits, and the networks to edit it with.

Shapes: f frames, e edits, H W pixels, c h w latent channels, height and width.
"""

import copy
import hashlib
import inspect
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from tav.inflation import TRAINED, Parts, SparseCausalAttention, TemporalAttention, inflate
from tav.io.video import replacing
from tav.model import StableDiffusion
from tav.sampling import sample
from tav.tuning import Tuning, encode_clip, load_tuned
from tav.vae import decode

from .clips import Clip, drawn


@dataclass(frozen=True)
class Settings:
    """What all methods have in common."""

    weights: str = "weights/mini"
    frames: int = 8
    tune_steps: int = 120
    lr: float = 3e-4
    steps: int = 25
    guidance: float = 2.0
    seed: int = 0


class Job:
    """One clip to edit. Methods may look at everything but `clip`, which knows the answers.

    `frames` (f, 3, H, W) and `caption` are the source, `prompts` are the edits asked for, by name,
    `posterior` is that of the source's latents (f, c, h, w). Networks, once tuned, are kept in
    files in `store`; `saved` counts the seconds that it took to tune those that were found there.
    """

    def __init__(self, model: StableDiffusion, clip: Clip, settings: Settings, store: Path):
        self.model, self.clip, self.settings, self.store = model, clip, settings, store
        self.frames = drawn(clip.source, model.size)
        self.caption = clip.caption
        self.prompts = {name: clip.prompt(name) for name in clip.edits}
        self.posterior = encode_clip(model, self.frames)
        self.latents = self.posterior.mean
        self.saved = 0.0

    def image_model(self) -> StableDiffusion:
        """A copy of the model that can be changed, with the image UNet."""
        return replace(self.model, unet=copy.deepcopy(self.model.unet))

    def inflated(
        self, spatial: type = SparseCausalAttention, temporal: type | None = TemporalAttention
    ) -> StableDiffusion:
        """The model with a video UNet, not tuned."""
        model = self.image_model()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            inflate(model.unet, spatial, temporal)
        return model

    def tuned(
        self,
        spatial: type = SparseCausalAttention,
        temporal: type | None = TemporalAttention,
        parts: Parts = TRAINED,
    ) -> StableDiffusion:
        """The model with a video UNet of which `parts` are tuned on the clip, as by tune.py."""
        asked, model = self.settings, self.inflated(spatial, temporal)
        # A changed class, a changed `Tuning` or a clip drawn anew is tuned anew.
        code = [inspect.getsource(kind) for kind in (spatial, temporal, Tuning) if kind]
        how = [asked.frames, asked.tune_steps, asked.lr, asked.seed, *code, *parts, model.hash]
        drawing = self.frames.numpy().tobytes()
        digest = hashlib.sha256(repr(how).encode() + drawing).hexdigest()[:12]
        file = self.store / f"{self.clip.number}-{digest}.safetensors"
        if file.exists():
            load_tuned(model.unet, load_file(file), str(file), parts)
            with safe_open(file, "pt") as kept:
                self.saved += float(kept.metadata()["seconds"])
            return model
        began = time.monotonic()
        text = model.embed(self.caption)
        tuning = Tuning(model, self.posterior, text, asked.lr, asked.seed, parts=parts)
        for _ in range(asked.tune_steps):
            tuning.update(tuning.loss())
        model.unet.requires_grad_(False)
        self.store.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part:  # a cut leaves no half of it
            save_file(tuning.tuned(), part, {"seconds": str(time.monotonic() - began)})
        return model

    def sampled(self, model: StableDiffusion, noise: Tensor) -> dict[str, Tensor]:
        """All edits as videos (f, 3, H, W), by guided DDIM sampling from the noise (f, c, h, w)."""
        prompts = list(self.prompts.values())
        text = model.embed([""] * len(prompts) + prompts)  # 2e l d
        asked, noises = self.settings, noise.repeat(len(prompts), 1, 1, 1)  # e*f c h w
        return self.decoded(sample(model, noises, text, asked.steps, asked.guidance))

    def decoded(self, latents: Tensor) -> dict[str, Tensor]:
        """The latents of all edits (e*f, c, h, w) as videos (f, 3, H, W), by the edit's name."""
        videos = decode(self.model.vae, latents).unflatten(0, (len(self.prompts), -1))
        return dict(zip(self.prompts, videos, strict=True))

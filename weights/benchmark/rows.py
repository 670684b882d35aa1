"""The rows of the benchmark: ways to edit a clip, each a function of a `Job`.

A row gets a clip and the prompts of its edits, and answers with a video for each of them. Most rows
are Tune-A-Video with one part left out. A new row is a function or a dataclass, and a line in ROWS.

Shapes: f frames, e edits, H W pixels, c h w latent channels, height and width.
"""

import copy
import hashlib
import inspect
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import tav
from tav.inflation import SparseCausalAttention, TemporalAttention, inflate, trainable
from tav.io.video import replacing
from tav.io.weights import load_tuned
from tav.layers import Attention
from tav.model import StableDiffusion
from tav.sampling import invert, sample
from tav.tuning import Tuning, encode_clip
from tav.vae import decode

from .clips import Clip, drawn

STORE = Path(__file__).parent / "build"  # of tuned networks
Videos = dict[str, Tensor]  # by the name of the edit: (f, 3, H, W)
HIGHER = 1.5  # times the guidance: SC-Attn and Temp-Attn are compared there as well


@dataclass(frozen=True)
class Settings:
    """What all rows have in common. Steps, learning rate and guidance are the weights' own; only
    frames are fewer than in tune.py, so that a row takes at most 40 minutes on two cores."""

    tune_steps: int
    lr: float
    steps: int
    guidance: float
    frames: int = 8
    seed: int = 0


class Job:
    """One clip to edit. A row may look at everything but `clip`, which knows the answers.

    `frames` (f, 3, H, W), `latents` (f, c, h, w) and `caption` are the source's; `prompts` are the
    edits asked for, by name. Every clip has a `seed` of its own, so that what luck does is in the
    error over clips.
    """

    def __init__(self, model: StableDiffusion, clip: Clip, settings: Settings, edits: list[str]):
        self.model, self.clip, self.settings = model, clip, settings
        self.frames, self.caption = drawn(clip.source, model.size), clip.caption
        self.prompts = {name: clip.prompt(name) for name in edits}
        self.latents = encode_clip(model, self.frames).mean
        self.seed = zlib.crc32(f"{settings.seed}/{clip.number}".encode())

    def inflated(self, spatial: type, temporal: type | None) -> StableDiffusion:
        """A copy of the model with a video UNet that is not tuned."""
        unet = copy.deepcopy(self.model.unet)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return replace(self.model, unet=inflate(unet, spatial, temporal))

    def tuned(
        self, spatial: type = SparseCausalAttention, temporal: type | None = TemporalAttention
    ) -> StableDiffusion:
        """The same, tuned on the clip as by tune.py; kept in a file, since rows share it."""
        model, asked = self.inflated(spatial, temporal), self.settings
        # A clip drawn anew, other weights or changed code are tuned anew.
        kinds = [kind.__name__ for kind in (spatial, temporal) if kind]
        code = [inspect.getsource(part) for part in (Tuning, tav.inflation)]
        how = [asked.tune_steps, asked.lr, self.seed, self.caption, kinds, model.hash, code]
        digest = hashlib.sha256(repr(how).encode() + self.frames.numpy().tobytes()).hexdigest()
        file = STORE / f"{self.clip.number}-{digest[:12]}.safetensors"
        if not file.exists():
            tav.tune(model, self.frames, self.caption, asked.tune_steps, asked.lr, self.seed)
            found = {name: part.detach() for name, part in trainable(model.unet).items()}
            STORE.mkdir(parents=True, exist_ok=True)
            with replacing(file) as part:  # a cut leaves no half of it
                save_file(found, part)
        load_tuned(model.unet, load_file(file), str(file))
        return model

    def noise(self) -> Tensor:
        """Noise as the clip's latents, by its seed."""
        generator = torch.Generator().manual_seed(self.seed)
        return torch.randn(self.latents.shape, generator=generator)

    def sampled(self, model: StableDiffusion, noise: Tensor) -> Videos:
        """All edits by guided sampling from the noise (f, c, h, w)."""
        prompts = list(self.prompts.values())
        text = model.embed([""] * len(prompts) + prompts)  # 2e l d
        noises = noise.repeat(len(prompts), 1, 1, 1)  # e*f c h w
        asked = self.settings
        return self.decoded(sample(model, noises, text, asked.steps, asked.guidance))

    def decoded(self, latents: Tensor) -> Videos:
        """The latents of all edits (e*f, c, h, w) as videos."""
        videos = decode(self.model.vae, latents).split(len(self.frames))
        return dict(zip(self.prompts, videos, strict=True))


@dataclass(frozen=True)
class TuneAVideo:
    """Inflate, tune on the clip, invert it, sample with the prompt; or with one part changed.

    `spatial` and `temporal` are the attentions that `inflate` gets. Sampling begins at the clip
    "inverted" with an empty prompt, as published, or with its "caption", or at "fresh" noise.
    """

    spatial: type = SparseCausalAttention
    temporal: type | None = TemporalAttention
    tuned: bool = True
    start: str = "inverted"

    def __call__(self, job: Job) -> Videos:
        network = job.tuned if self.tuned else job.inflated
        model = network(self.spatial, self.temporal)
        if self.start == "fresh":
            return job.sampled(model, job.noise())
        caption = job.caption if self.start == "caption" else ""
        noise = invert(model, job.latents, job.settings.steps, caption=caption)
        return job.sampled(model, noise)


def frame_by_frame(job: Job) -> Videos:
    """The image model makes each frame as a picture of its own, from a noise of its own."""
    prompts = [prompt for prompt in job.prompts.values() for _ in job.frames]
    text = job.model.embed([""] * len(prompts) + prompts)  # 2ef l d: videos of one frame
    noise = job.noise().repeat(len(job.prompts), 1, 1, 1)  # e*f c h w
    return job.decoded(sample(job.model, noise, text, job.settings.steps, job.settings.guidance))


def difference(job: Job) -> Videos:
    """No inversion: the clip moves by the difference of two predictions (`tav/difference.py`)."""
    model, asked = job.tuned(), job.settings
    how = {"steps": asked.steps, "guidance": asked.guidance, "seed": job.seed}
    how |= {"caption": job.caption, "difference": True}
    return {name: tav.edit(model, job.frames, text, **how) for name, text in job.prompts.items()}


def ideal(job: Job) -> Videos:
    """A right answer, encoded and decoded: what the VAE costs."""
    ideals = [drawn(job.clip.ideals(name)[0], job.model.size) for name in job.prompts]
    return job.decoded(encode_clip(job.model, torch.cat(ideals)).mean)


def source(job: Job) -> Videos:
    """Nothing is done."""
    return dict.fromkeys(job.prompts, job.frames)


@dataclass(frozen=True)
class Row:
    """A way to edit; if `higher`, edits with open looks are made at the higher guidance too."""

    label: str
    edit: Callable[[Job], Videos]
    higher: bool = False


NO_SC = Attention  # attention stays within a frame; GroupNorm still pools over all of them
ROWS = {
    "tune-a-video": Row("Tune-A-Video", TuneAVideo(), True),
    "no-sc": Row("without SC-Attn", TuneAVideo(NO_SC), True),
    "no-temp": Row("without Temp-Attn", TuneAVideo(temporal=None), True),
    "neither": Row("without both", TuneAVideo(NO_SC, temporal=None), True),
    # Temp-Attn adds nothing until it is tuned, so that these two are without it as well.
    "untuned": Row("not tuned", TuneAVideo(tuned=False), True),
    "untuned-no-sc": Row("not tuned, without SC-Attn", TuneAVideo(NO_SC, tuned=False), True),
    "no-inversion": Row("without inversion", TuneAVideo(start="fresh")),
    "frame-by-frame": Row("the image model, frame by frame", frame_by_frame),
    "caption": Row("inverted with the caption", TuneAVideo(start="caption")),
    "difference": Row("the difference of two predictions", difference),
    "ideal": Row("a right answer, through the VAE", ideal),
    "source": Row("the source, not edited", source),
}

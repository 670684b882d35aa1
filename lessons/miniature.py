"""What several lessons begin with: the miniature, tuned on the course's clip, and a second clip."""

import hashlib
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

import tav
from tav.io.runs import RUNS
from tav.io.video import replacing
from tav.io.weights import load_tuned
from tav.model import StableDiffusion
from tav.tuning import Tuning, encode_clip
from weights.benchmark.clips import drawn
from weights.make import train

from .blocks import ROOT

WEIGHTS = ROOT / "weights" / "mini"


def surfing_panda() -> Tensor:
    """Eight frames (f, 3, 128, 128) of "a panda is surfing", drawn by the program that drew the
    miniature's training images."""
    return drawn(train.surfing_panda(), 128)


def tuned_miniature(frames: int = 8) -> tuple[StableDiffusion, Tensor]:
    """The miniature tuned on `frames` frames of clip.mp4 by its own recipe, and these frames
    (f, 3, 128, 128).

    Tuned once, which takes a minute or two, and kept in runs/lessons/, by the hashes of weights and
    clip. If you change what tunes it in tav/, delete that folder.
    """
    model = tav.load(WEIGHTS)
    own = model.recipe("tune")
    clip, _ = tav.read_clip(ROOT / "clip.mp4", frames=frames, stride=16 // frames, size=model.size)
    shown = hashlib.sha256(clip.numpy().tobytes()).hexdigest()[:6]
    how = f"{model.hash[:12]}-{shown}-{frames}-frames-{own['steps']}-steps-lr-{own['lr']}"
    file = ROOT / RUNS / "lessons" / f"tuned-{how}.safetensors"
    if not file.exists():
        tune(model, clip, own, file)
        model = tav.load(WEIGHTS)
    load_tuned(model.unet, load_file(file), str(file))
    return model, clip


def tune(model: StableDiffusion, clip: Tensor, recipe: dict, file: Path) -> None:
    """Tune the model on the frames, and keep what was trained in the file."""
    text = model.embed("a man is skiing")
    tuning = Tuning(model, encode_clip(model, clip), text, recipe["lr"], seed=0)
    for i in range(recipe["steps"]):
        if i % 10 == 0:
            progress = f"step {i} of {recipe['steps']}"
            print(f"tuning the miniature, once for all lessons: {progress}", file=sys.stderr)
        tuning.update(tuning.loss())
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as part:
        save_file(tuning.tuned(), part)

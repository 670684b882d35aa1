"""The run folder. Each file is written beside its place and moved there: it is whole or absent
(lesson 00).

run.json: settings. source.safetensors: frames (f, 3, H, W) as bytes, mean and std of their latents
(f, c, h, w), fps. state.safetensors: for --resume. tuned.safetensors: what was trained.
inversion-*: the clip's noise. samples/: edits.
"""

import csv
import json
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save
from torch import Tensor

from .. import __version__
from ..model import StableDiffusion
from ..ranks import RANK
from .cli import UserError
from .files import read_json, tensors
from .video import replacing

RUNS = Path("runs")
NEEDED = {
    "clip",
    "prompt",
    "weights",
    "weights_hash",
    "dtype",
    "size",
    "steps",
    "lr",
    "seed",
    "seconds",
}  # in run.json


def require_same_weights(model: StableDiffusion, digest: str) -> None:
    """UserError unless the model's weights are those that a run was tuned on."""
    if model.hash != digest:
        what = "not the weights this run was tuned on"
        raise UserError(f"{model.path}: {what}; pass those to --weights")


class Run:
    """One run folder; by default the newest in `runs/`. It need not exist before `working`."""

    def __init__(self, path: str | Path | None = None):
        if path is None and not (
            begun := sorted(RUNS.glob("*/run.json"), key=lambda file: file.stat().st_mtime)
        ):
            raise UserError(f"no run in {RUNS}/ yet; make one with tune.py, or name its folder")
        self.path = begun[-1].parent if path is None else Path(path)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Make the folder if need be, and keep other processes out. A new one goes if nothing was
        tuned in it."""
        if RANK:  # rank 0 works for all
            return (yield)
        new = not self.path.exists()
        try:
            (self.path / "samples").mkdir(parents=True, exist_ok=True)
            lock = open(self.path / ".lock", "w")  # the system unlocks it however this process ends
            with suppress(ImportError):  # on Windows, where a second process goes unnoticed
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{self.path}: another process is working in this run folder; wait for it"
            ) from None
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be written, {error.strerror}; choose another folder"
            ) from error
        with lock:
            try:
                yield
            finally:
                if new and not (self.path / "tuned.safetensors").exists():
                    shutil.rmtree(self.path)

    @property
    def settings(self) -> dict:
        """What run.json says; UserError unless it is all there."""
        settings = read_json(file) if (file := self.path / "run.json").is_file() else {}
        if not NEEDED <= settings.keys():
            raise UserError(
                f"{self.path}: not a run folder (its run.json is missing or incomplete); "
                "tune.py makes one"
            )
        return settings

    def write_settings(self, settings: dict) -> None:
        """run.json: the settings, and the versions they worked with."""
        versions = {
            "tav": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
        with replacing(self.path / "run.json") as part:
            part.write_text(json.dumps(settings | versions, indent=2) + "\n", encoding="utf-8")

    def load(self, name: str) -> dict[str, Tensor] | None:
        """The tensors of `name`.safetensors, or None if there is no such file; UserError if it is
        damaged."""
        file = self.path / f"{name}.safetensors"
        return {key: value.clone() for key, value in tensors(file)} if file.exists() else None

    def save(self, name: str, values: dict[str, Tensor]) -> None:
        with replacing(self.path / f"{name}.safetensors") as part:
            part.write_bytes(save({key: value.contiguous().cpu() for key, value in values.items()}))

    def write_losses(self, losses: list[float]) -> None:
        """loss.csv, and loss.png: from 0 up, each loss as a dot, and the mean of the tenth of the
        run before it."""
        with replacing(self.path / "loss.csv") as part:
            part.write_text(
                "step,loss\n" + "".join(f"{i},{loss:.6g}\n" for i, loss in enumerate(losses))
            )
        picture, n, top = (
            Image.new("RGB", (640, 320), "white"),
            len(losses),
            max(losses, default=0) or 1,
        )
        draw = ImageDraw.Draw(picture)
        draw.text((8, 4), f"loss of {n} steps, 0 to {top:.3g}", "black")
        for i, loss in enumerate(losses):
            for value, colour in [
                (loss, "silver"),
                (np.mean(losses[max(0, i - n // 10) : i + 1]), "royalblue"),
            ]:
                x, y = 640 * i / n, 318 - 290 * value / top
                draw.rectangle([x - 1, y - 1, x + 1, y + 1], colour)
        with replacing(self.path / "loss.png") as part:
            picture.save(part, format="png")

    def write_scores(self, rows: list[tuple[str, float, float, float]]) -> str:
        """samples/scores.csv, from the rows of `metrics.scores`; returns a table to print."""
        lines = [("video", "consistency", "adjacent", "alignment")]
        lines += [(name, *(f"{score:.2f}" for score in of_video)) for name, *of_video in rows]
        with replacing(self.path / "samples" / "scores.csv") as part:
            with open(part, "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(lines)
        return "\n".join(f"{c:>11}{a:>10}{t:>11}  {name}" for name, c, a, t in lines)

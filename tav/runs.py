"""The run folder: what tuning leaves for sampling, so written that a cut at any moment loses little.

    run.json             all settings, versions, hash of the weights, seconds of tuning
    source.safetensors   the clip's frames (f, 3, H, W) as bytes, mean and std of its latents (f, c, h, w), fps
    state.safetensors    what `tune.py --resume` continues from
    tuned.safetensors    the trained tensors only, under their published names
    inversion-*          the clip's noise, one for each set of things that it depends on
    loss.csv, loss.png   the loss of every step
    samples/             what sample.py makes

Every file is written beside its place and then moved there, so it is whole or absent; run.json comes first.
"""

import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from safetensors.torch import save
from torch import Tensor

from . import __version__
from .errors import UserError
from .files import read_json, tensors
from .video import replacing

RUNS = Path("runs")
NEEDED = {"clip", "prompt", "weights", "weights_hash", "dtype", "size", "steps", "lr", "seed", "seconds"}  # in run.json


class Run:
    """One run folder; by default the newest in `runs/`. It need not exist before `working`."""

    def __init__(self, path: str | Path | None = None):
        if path is None and not (begun := sorted(RUNS.glob("*/run.json"), key=os.path.getmtime)):
            raise UserError(f"no run in {RUNS}/ yet; make one with tune.py, or name its folder")
        self.path = begun[-1].parent if path is None else Path(path)

    def check_vacant(self) -> None:
        """UserError unless a new run can begin here: where nothing is, or no file but hidden ones."""
        if self.path.is_file() or any(file.is_file() for file in self.path.rglob("[!.]*")):
            raise UserError(f"{self.path}: not an empty folder; choose another --out, or continue a run with --resume")

    @contextmanager
    def working(self) -> Iterator[None]:
        """Make the folder if need be, and keep other processes out of it.

        The system lets go of the lock however the process ends. What a killed one left half written is
        swept up; a new folder in which nothing was tuned is not left behind.
        """
        new = not self.path.exists()
        try:
            (self.path / "samples").mkdir(parents=True, exist_ok=True)
            lock = open(self.path / ".lock", "w")
            with suppress(ImportError):  # on Windows, where a second process goes unnoticed
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{self.path}: another process is working in this run folder; wait for it") from None
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written, {error.strerror}; choose another folder") from error
        with lock:
            for part in self.path.rglob(".*.part"):
                part.unlink()
            try:
                yield
            finally:
                if new and not (self.path / "tuned.safetensors").exists():
                    shutil.rmtree(self.path)

    @property
    def settings(self) -> dict:
        """What run.json says. Raises UserError if there is none, or it is damaged."""
        file = self.path / "run.json"
        if not file.is_file():
            raise UserError(f"{self.path}: not a run folder (no run.json in it); tune.py makes one")
        settings = read_json(file)
        if missing := NEEDED - settings.keys():
            raise UserError(f"{file}: lacks {', '.join(sorted(missing))}; tune anew in another folder")
        return settings

    def load(self, name: str) -> dict[str, Tensor] | None:
        """The tensors of `name`.safetensors, or None if there is no such file; UserError if it is damaged."""
        file = self.path / f"{name}.safetensors"
        try:
            return {key: value.clone() for key, value in tensors(file)} if file.exists() else None
        except UserError:
            raise UserError(f"{file}: damaged; delete it and continue the run with tune.py --resume") from None

    def save(self, name: str, values: dict[str, Tensor]) -> None:
        with replacing(self.path / f"{name}.safetensors") as part:
            part.write_bytes(save({key: value.contiguous().cpu() for key, value in values.items()}))

    def write_settings(self, settings: dict) -> None:
        """run.json: the settings, and the versions they worked with."""
        versions = {"tav": __version__, "torch": torch.__version__, "python": platform.python_version()}
        with replacing(self.path / "run.json") as part:
            part.write_text(json.dumps(settings | versions, indent=2) + "\n", encoding="utf-8")

    def write_losses(self, losses: list[float]) -> None:
        """loss.csv, and loss.png: every loss as a dot, their mean over a tenth of the run as a line, from 0 up."""
        with replacing(self.path / "loss.csv") as part:
            part.write_text("".join(["step,loss\n", *(f"{i},{loss:.6g}\n" for i, loss in enumerate(losses))]))
        picture = Image.new("RGB", (640, 320), "white")
        draw, n, top = ImageDraw.Draw(picture), len(losses), max(losses, default=0) or 1
        draw.text((8, 4), f"loss of {n} steps, 0 to {top:.3g}", "black")
        places = [(640 * i / n, 320 - 290 * loss / top) for i, loss in enumerate(losses)]
        for x, y in places:
            draw.ellipse([x - 1, y - 1, x + 1, y + 1], "silver")
        if places:
            means = torch.tensor(places).unfold(0, max(1, n // 10), 1).mean(dim=2)  # x and y along the line
            draw.line(means.flatten().tolist(), "royalblue", 2)
        with replacing(self.path / "loss.png") as part:
            picture.save(part, format="png")

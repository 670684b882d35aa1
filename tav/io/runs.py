"""The run folder. Each file in it is whole or absent (lesson 00).

run.json: settings. source.safetensors: frames (f, 3, H, W) as bytes, mean and std of their latents
(f, c, h, w), fps. state.safetensors: for --resume. tuned.safetensors: what was trained.
inversion-*: the clip's noise. samples/: edits. Each file is written beside its place and then moved
there.
"""

import csv
import json
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from .. import __version__
from ..model import StableDiffusion
from ..ranks import RANK
from . import contents
from .charts import loss_chart
from .cli import UserError
from .files import read_json, tensors
from .settings import run_settings
from .video import replacing

RUNS = Path("runs")


def newest() -> Path:
    """The folder in `runs/` that was begun or worked in last."""
    begun = sorted(RUNS.glob("*/run.json"), key=lambda file: file.stat().st_mtime)
    if not begun:
        raise UserError(f"no run in {RUNS}/ yet; make one with tune.py, or name its folder")
    return begun[-1].parent


def require_same_weights(model: StableDiffusion, digest: str) -> None:
    """UserError unless the model's weights are those that a run was tuned on."""
    if model.hash != digest:
        what = "not the weights this run was tuned on"
        raise UserError(f"{model.path}: {what}; pass those to --weights")


class Run:
    """One run folder; by default the newest in `runs/`. It need not exist before `working`."""

    def __init__(self, path: str | Path | None = None):
        self.path = newest() if path is None else Path(path)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Make the folder if need be, and keep other processes out.

        A new folder goes again if nothing was tuned in it.
        """
        if RANK > 0:  # rank 0 works for all
            yield
            return
        new = not self.path.exists()
        try:
            (self.path / "samples").mkdir(parents=True, exist_ok=True)
            lock = open(self.path / ".lock", "w")  # the system unlocks it however this process ends
            with suppress(ImportError):  # on Windows, where a second process goes unnoticed
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = f"{self.path}: another process is working in this run folder"
            raise UserError(f"{what}; wait for it") from None
        except OSError as error:
            what = f"{self.path}: cannot be written, {error.strerror}"
            raise UserError(f"{what}; choose another folder") from error
        with lock:
            try:
                yield
            finally:
                if new and not (self.path / "tuned.safetensors").exists():
                    shutil.rmtree(self.path)

    @property
    def settings(self) -> dict:
        """What run.json says; UserError unless it is all there and of the right types."""
        file = self.path / "run.json"
        return run_settings(file, read_json(file) if file.is_file() else {})

    def write_settings(self, settings: dict) -> None:
        """run.json: the settings, and the versions they worked with."""
        versions = {
            "tav": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
        with replacing(self.path / "run.json") as part:
            part.write_text(json.dumps(settings | versions, indent=2) + "\n", encoding="utf-8")

    def file(self, name: str) -> Path:
        """Where the tensors of that name are."""
        return self.path / f"{name}.safetensors"

    def load(self, name: str) -> dict[str, Tensor] | None:
        """The tensors of `name`.safetensors, or None if there is no such file.

        UserError if it is damaged. What is in it is not looked at, as the methods below do.
        """
        file = self.file(name)
        if not file.exists():
            return None
        return {key: tensor.clone() for key, tensor in tensors(file)}

    def source(self, model: StableDiffusion) -> dict[str, Tensor] | None:
        """The clip as it was read and encoded; None if there is none yet."""
        found = self.load("source")
        if found is not None:
            contents.check_source(self.file("source"), found, model)
        return found

    def state(self, weights: dict[str, Tensor]) -> dict[str, Tensor] | None:
        """What `Tuning.restore` needs to go on with these weights; None if nothing is done yet."""
        found = self.load("state")
        if found is not None:
            contents.check_state(self.file("state"), found, weights)
        return found

    def tuned(self) -> dict[str, Tensor] | None:
        """The trained weights; None if there are none yet."""
        found = self.load("tuned")
        if found is not None:
            contents.check_tuned(self.file("tuned"), found)
        return found

    def inversion(self, name: str, latents: Tensor) -> Tensor | None:
        """The noise of a clip with these latents, kept under that name; None if it is not."""
        found = self.load(name)
        if found is None:
            return None
        contents.check_inversion(self.file(name), found, latents)
        return found["noise"]

    def save(self, name: str, values: dict[str, Tensor]) -> None:
        """The tensors, as `name`.safetensors."""
        with replacing(self.file(name)) as part:
            part.write_bytes(save({key: value.contiguous().cpu() for key, value in values.items()}))

    def write_losses(self, losses: list[float]) -> None:
        """loss.csv, and loss.png, the same as a picture."""
        lines = [f"{i},{loss:.6g}\n" for i, loss in enumerate(losses)]
        with replacing(self.path / "loss.csv") as part:
            part.write_text("step,loss\n" + "".join(lines))
        with replacing(self.path / "loss.png") as part:
            loss_chart(losses).save(part, format="png")

    def write_scores(self, rows: list[tuple[str, float, float, float]]) -> str:
        """samples/scores.csv, from the rows of `metrics.scores`; returns a table to print."""
        lines = [("video", "consistency", "adjacent", "alignment")]
        lines += [(name, *(f"{score:.2f}" for score in of_video)) for name, *of_video in rows]
        with replacing(self.path / "samples" / "scores.csv") as part:
            with open(part, "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(lines)
        table = []
        for name, consistency, adjacent, alignment in lines:
            table.append(f"{consistency:>11}{adjacent:>10}{alignment:>11}  {name}")
        return "\n".join(table)

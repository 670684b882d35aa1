"""The run folder: what tuning leaves for sampling, so written that a cut at any moment loses little.

    run.json             all settings, versions, hash of the weights, seconds of tuning
    source.safetensors   the clip's frames (f, 3, H, W) as bytes, mean and std of its latents (f, c, h, w), fps
    state.safetensors    what `tune.py --resume` continues from
    tuned.safetensors    the trained tensors only, under their published names
    inversion-*          the clip's noise, one for each set of things that it depends on
    loss.csv, loss.png   the loss of every step
    samples/             what sample.py makes

Every file is written beside its place and then moved there, so it is whole or absent. run.json follows
the source, and with it the folder is a run.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from .errors import UserError
from .video import replacing
from .weights import read_json, tensors

try:
    import fcntl
except ImportError:  # Windows, where a second process in the same folder goes unnoticed
    fcntl = None

RUNS = Path("runs")


class Run:
    """One run folder. It need not exist before `working`."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @classmethod
    def newest(cls) -> "Run":
        found = sorted(RUNS.glob("*/run.json"), key=lambda file: file.stat().st_mtime)
        if not found:
            raise UserError(f"no run in {RUNS}/ yet; make one with tune.py, or name its folder")
        return cls(found[-1].parent)

    @property
    def begun(self) -> bool:
        return (self.path / "run.json").is_file()

    def check_vacant(self) -> None:
        """UserError if the folder holds more than what is left of a start that was cut."""
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path}: not a folder; choose another --out")
        names = {file.name for file in self.path.glob("[!.]*")}
        if names - {"source.safetensors"}:
            raise UserError(f"{self.path}: not empty; choose another --out, or continue a run with --resume")

    @contextmanager
    def working(self) -> Iterator[None]:
        """Make the folder if need be, and keep other processes out of it.

        The system lets go of the lock however the process ends. What a killed one left half written is
        swept up; a new folder in which no run began is not left behind.
        """
        new = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / ".lock", "w")
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{self.path}: another process is working in this run folder; wait for it") from None
        except OSError as error:
            raise UserError(f"{self.path}: cannot write there, {error.strerror}; choose another folder") from error
        with lock:
            for part in self.path.rglob(".*.part"):
                part.unlink()
            try:
                yield
            finally:
                if new and not self.begun:
                    shutil.rmtree(self.path)

    @property
    def settings(self) -> dict:
        """What run.json says. Raises UserError if there is none, or it is damaged."""
        if not self.begun:
            raise UserError(f"{self.path}: not a run folder (no run.json in it); tune.py makes one")
        return read_json(self.path / "run.json")

    def write_settings(self, settings: dict) -> None:
        with replacing(self.path / "run.json") as part:
            part.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    def load(self, name: str) -> dict[str, Tensor] | None:
        """The tensors of `name`.safetensors, or None if there is no such file; UserError if it is damaged."""
        file = self.path / f"{name}.safetensors"
        try:
            return {key: value.clone() for key, value in tensors(file)} if file.exists() else None
        except UserError:
            raise UserError(f"{file}: damaged; delete it and continue the run with tune.py --resume") from None

    def save(self, name: str, values: dict[str, Tensor]) -> None:
        with replacing(self.path / f"{name}.safetensors") as part:
            try:
                save_file({key: value.contiguous().cpu() for key, value in values.items()}, part)
            except SafetensorError as error:
                raise OSError(str(error)) from error

    def write_losses(self, losses: list[float]) -> None:
        """loss.csv and loss.png, anew."""
        with replacing(self.path / "loss.csv") as part:
            part.write_text("step,loss\n" + "".join(f"{i},{loss:.6g}\n" for i, loss in enumerate(losses)))
        with replacing(self.path / "loss.png") as part:
            loss_picture(losses).save(part, format="png")


def loss_picture(losses: list[float]) -> Image.Image:
    """The loss of every step as a dot, its mean over a tenth of the run as a line; both axes begin at 0."""
    picture = Image.new("RGB", (640, 320), "white")
    draw, n, top = ImageDraw.Draw(picture), len(losses), max(losses, default=0) or 1
    draw.line([(40, 30), (40, 290), (620, 290)], "black")
    draw.text((40, 10), f"loss, up to {top:.3g}", "black")
    draw.text((560, 296), f"{n} steps", "black")
    places = [(40 + 580 * i / n, 290 - 260 * loss / top) for i, loss in enumerate(losses, 1)]
    for place in places:
        draw.circle(place, 1.5, "silver")
    if places:
        means = torch.tensor(places).unfold(0, max(1, n // 10), 1).mean(dim=2)  # x y of the line
        draw.line(list(map(tuple, means.tolist())), "royalblue", 2)
    return picture

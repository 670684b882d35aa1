"""The run folder: what tuning leaves for sampling, written so that a cut at any moment loses little.

    run.json            settings, versions, hash of the weights, timings
    tuned.safetensors   the trained tensors, under their published names
    source.safetensors  the clip's frames (f, 3, H, W) uint8 and the mean and std of its latents
    state.safetensors   what `--resume` continues from; gone when tuning is done
    loss.csv, loss.png  the loss of every step
    samples/            what sample.py makes

Every file is written beside its place and then moved there, so it is whole or absent.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import Tensor

from .errors import UserError
from .video import replacing
from .weights import read_json, tensors

RUNS = Path("runs")


class Run:
    """One run folder. The folder need not exist before `create`."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @classmethod
    def open(cls, path: str | Path | None) -> "Run":
        """The run at `path`, or the newest in `runs/`. Raises UserError if it is not a run folder."""
        if path is None:
            found = sorted(RUNS.glob("*/run.json"), key=lambda file: file.stat().st_mtime)
            if not found:
                raise UserError(f"no run in {RUNS}/ yet; make one with tune.py, or name a folder with --run")
            path = found[-1].parent
        run = cls(path)
        if not (run.path / "run.json").is_file():
            raise UserError(f"{path}: not a run folder (no run.json in it); tune.py makes one")
        return run

    def create(self, again: bool = False) -> None:
        """Make the folder; UserError if it holds something already (unless `again`) or cannot be written."""
        if not again and self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise UserError(f"{self.path}: exists and is not empty; choose another --out, or pass --resume")
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of the folder; the system lets go of the lock however the process ends."""
        with writing(self.path):
            lock = open(self.path / ".lock", "w")
        try:
            import fcntl  # not on Windows, where a second process is not noticed

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass
        except OSError:
            lock.close()
            raise UserError(f"{self.path}: another process is working in this run folder; wait for it") from None
        with lock:
            yield

    @property
    def settings(self) -> dict:
        return read_json(self.path / "run.json")

    def write_settings(self, settings: dict) -> None:
        with writing(self.path), replacing(self.path / "run.json") as part:
            Path(part).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    def load(self, name: str) -> dict[str, Tensor] | None:
        """The tensors of `name`.safetensors, or None if there is no such file."""
        file = self.path / f"{name}.safetensors"
        return {key: value.clone() for key, value in tensors(file)} if file.exists() else None

    def save(self, name: str, values: dict[str, Tensor]) -> None:
        with writing(self.path), replacing(self.path / f"{name}.safetensors") as part:
            save_file({key: value.contiguous().cpu() for key, value in values.items()}, part)

    def write_losses(self, losses: list[float]) -> None:
        """loss.csv and loss.png, anew."""
        with writing(self.path), replacing(self.path / "loss.csv") as part:
            rows = [f"{i},{loss:.6g}\n" for i, loss in enumerate(losses)]
            Path(part).write_text("step,loss\n" + "".join(rows))
        with writing(self.path), replacing(self.path / "loss.png") as part:
            loss_picture(losses).save(part, format="png")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A full disk or a read-only folder is the user's to mend: one line, not a traceback."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot write there ({os.strerror(error.errno or 5)}); choose another --out") from None


def loss_picture(losses: list[float], size: tuple[int, int] = (640, 320)) -> Image.Image:
    """The loss of every step as grey dots, its running mean over a tenth of the run as a line."""
    picture = Image.new("RGB", size, "white")
    draw, (width, height), margin = ImageDraw.Draw(picture), size, 40
    top = max(losses, default=1.0) or 1.0
    window = max(1, len(losses) // 10)

    def place(i: int, loss: float) -> tuple[float, float]:
        across = i / max(1, len(losses) - 1)
        return margin + across * (width - 2 * margin), height - margin - loss / top * (height - 2 * margin)

    draw.line([(margin, margin), (margin, height - margin), (width - margin, height - margin)], fill="black")
    draw.text((4, margin - 14), f"loss (top {top:.3g})", fill="black")
    draw.text((width - margin - 60, height - margin + 6), f"{len(losses)} steps", fill="black")
    for i, loss in enumerate(losses):
        x, y = place(i, loss)
        draw.ellipse([x - 1.5, y - 1.5, x + 1.5, y + 1.5], fill=(190, 190, 190))
    means = torch.tensor(losses).unfold(0, window, 1).mean(dim=1).tolist() if losses else []
    draw.line([place(i + window // 2, loss) for i, loss in enumerate(means)], fill=(30, 90, 200), width=2)
    return picture

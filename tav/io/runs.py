"""The run folder. Each file is written beside its place and moved there: it is whole or absent
(lesson 00).

run.json: settings. source.safetensors: frames (f, 3, H, W) as bytes, mean and std of their latents
(f, c, h, w), fps. state.safetensors: for --resume. tuned.safetensors: what was trained.
inversion-*: the clip's noise. samples/: edits.
"""

import csv
import json
import platform
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from .. import __version__
from ..model import StableDiffusion
from ..ranks import rank
from ..tuning import ADAMW_STATE
from ..vae import LATENT
from .charts import loss_chart
from .cli import UserError
from .files import read_json, tensors
from .settings import run_settings
from .video import replacing, write_gif, write_mp4

RUNS = Path("runs")
# What tensors a file holds: by name, their dtype and their shape. A shape's numbers must be so; its
# letters stand for any sizes from 1 up, the same ones throughout the file.
Layout = dict[str, tuple[torch.dtype, tuple[int | str, ...]]]
SOURCE: Layout = {
    "frames": (torch.uint8, ("f", 3, "H", "W")),
    "mean": (torch.float32, ("f", LATENT, "h", "w")),
    "std": (torch.float32, ("f", LATENT, "h", "w")),
    "fps": (torch.float32, ()),
}
POSITIVE = ("fps", "scale")  # scalars that must be finite and above 0
RESUME = "delete that file, and continue the run with tune.py --resume"


def check_layout(file: Path, tensors: dict[str, Tensor], layout: Layout, advice: str) -> None:
    """UserError, which ends with the advice, unless these are the tensors of that layout."""

    def wrong(what: str) -> UserError:
        return UserError(f"{file}: {what}, which no run writes; {advice}")

    odd = sorted(layout.keys() ^ tensors.keys())  # in one of the two only
    if odd:
        raise wrong(f"{'without' if odd[0] in layout else 'with'} a tensor {odd[0]!r}")
    sizes = {}
    for name, (dtype, shape) in layout.items():
        tensor = tensors[name]
        if tensor.dtype != dtype:
            raise wrong(f"{name!r} is {tensor.dtype}, not {dtype}")
        fits = tensor.dim() == len(shape)
        for size, expected in zip(tensor.shape, shape):
            if isinstance(expected, str):
                fits = fits and size > 0
                expected = sizes.setdefault(expected, size)
            fits = fits and size == expected
        if not fits:
            expected = tuple(sizes.get(side, side) for side in shape)
            raise wrong(f"{name!r} is of shape {tuple(tensor.shape)}, not {expected}")
        if name in POSITIVE and not 0 < tensor.item() < float("inf"):
            raise wrong(f"{name!r} is {tensor.item()}")


def require_same_weights(model: StableDiffusion, digest: str) -> None:
    """UserError unless the model's weights are those that a run was tuned on."""
    if model.hash != digest:
        what = "not the weights this run was tuned on"
        raise UserError(f"{model.path}: {what}; pass those to --weights")


class Run:
    """One run folder; by default the newest in `runs/`. It need not exist before `working`."""

    def __init__(self, path: str | Path | None = None):
        if path is None:
            begun = sorted(RUNS.glob("*/run.json"), key=lambda file: file.stat().st_mtime)
            if not begun:
                raise UserError(f"no run in {RUNS}/ yet; make one with tune.py, or name its folder")
            path = begun[-1].parent
        self.path = Path(path)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Make the folder if need be, and keep other processes out. A new one goes if nothing was
        tuned in it."""
        if rank():  # rank 0 works for all
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

    def load(self, name: str) -> dict[str, Tensor] | None:
        """The tensors of `name`.safetensors, or None if there is no such file; UserError if it is
        damaged."""
        file = self.path / f"{name}.safetensors"
        return {key: value.clone() for key, value in tensors(file)} if file.exists() else None

    def checked(
        self, name: str, layout_of: Callable[[dict[str, Tensor]], Layout], advice: str = RESUME
    ) -> dict[str, Tensor] | None:
        """The same, if they are the tensors of the layout that they should have; UserError if
        not."""
        found = self.load(name)
        if found is not None:
            check_layout(self.path / f"{name}.safetensors", found, layout_of(found), advice)
        return found

    def source(self) -> dict[str, Tensor] | None:
        """The clip: frames, mean and std of their latents, fps; None if there is none yet."""
        return self.checked("source", lambda found: SOURCE)

    def check_latents(self, source: dict[str, Tensor], model: StableDiffusion) -> None:
        """UserError unless the latents have the size that the weights give such frames."""
        size, factor = tuple(source["frames"].shape[2:]), model.vae.factor
        found, expected = tuple(source["mean"].shape[2:]), tuple(side // factor for side in size)
        if found != expected or any(side % model.multiple for side in size):
            raise UserError(
                f"{self.path / 'source.safetensors'}: latents of size {found} for frames of size "
                f"{size}, which no run with these weights writes; {RESUME}"
            )

    def tuned(self) -> dict[str, Tensor] | None:
        """The tuned weights; None if there are none yet. Whether they are those of a UNet,
        `load_tuned` checks."""
        return self.checked(
            "tuned", lambda found: {key: (torch.float32, tuple(found[key].shape)) for key in found}
        )

    def state(self, weights: dict[str, Tensor]) -> dict[str, Tensor] | None:
        """The state of the tuning of these weights, for `Tuning.restore`; None if there is none
        yet."""

        def layout(found: dict[str, Tensor]) -> Layout:
            steps = found["losses"].numel() if "losses" in found else 0
            layout = {"losses": (torch.float64, (steps,)), "scale": (torch.float32, ())}
            # AdamW remembers all weights from the first update on, and none before it.
            updated = any(key.partition("/")[0] in ADAMW_STATE for key in found)
            for name, weight in weights.items():
                shape = tuple(weight.shape)
                layout[f"weight/{name}"] = (torch.float32, shape)
                for key in ADAMW_STATE if updated else ():
                    layout[f"{key}/{name}"] = (torch.float32, () if key == "step" else shape)
            return layout

        return self.checked("state", layout)

    def noise(self, name: str, latents: Tensor) -> Tensor | None:
        """The clip's noise, kept in `name`.safetensors, of the shape of its latents; None if there
        is none yet."""
        layout = {"noise": (torch.float32, tuple(latents.shape))}
        advice = "delete that file, and sample.py makes it again"
        found = self.checked(name, lambda found: layout, advice)
        return None if found is None else found["noise"]

    def save(self, name: str, values: dict[str, Tensor]) -> None:
        with replacing(self.path / f"{name}.safetensors") as part:
            part.write_bytes(save({key: value.contiguous().cpu() for key, value in values.items()}))

    def write_losses(self, losses: list[float]) -> None:
        """loss.csv, and loss.png, the same as a picture."""
        lines = [f"{i},{loss:.6g}\n" for i, loss in enumerate(losses)]
        with replacing(self.path / "loss.csv") as part:
            part.write_text("step,loss\n" + "".join(lines))
        with replacing(self.path / "loss.png") as part:
            loss_chart(losses).save(part, format="png")

    def write_video(self, title: str, video: Tensor, fps: float) -> None:
        """A gif and an mp4 in samples/, named after the title: words and dashes, at most 80
        bytes."""
        name = re.sub(r"\W+", "-", title.lower()).strip("-").encode()[:80].decode(errors="ignore")
        write_gif(self.path / "samples" / f"{name}.gif", video, fps)
        write_mp4(self.path / "samples" / f"{name}.mp4", video, fps)

    def write_scores(self, rows: list[tuple[str, float, float, float]]) -> str:
        """samples/scores.csv, from a row for each video: its name and its `metrics.scores`; returns
        a table to print."""
        lines = [("video", "consistency", "adjacent", "alignment")]
        lines += [(name, *(f"{score:.2f}" for score in of_video)) for name, *of_video in rows]
        with replacing(self.path / "samples" / "scores.csv") as part:
            with open(part, "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(lines)
        return "\n".join(f"{c:>11}{a:>10}{t:>11}  {name}" for name, c, a, t in lines)

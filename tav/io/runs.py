"""The run folder. Each file is written beside its place and moved there, whole (lesson 00).

run.json: settings. source.safetensors: frames (f, 3, H, W) as bytes, mean and std of their latents
(f, c, h, w), fps. state.safetensors: for --resume. tuned.safetensors: what was trained.
inversion-*: the clip's noise. samples/: edits. previews/: what an edit looked like on the way.
"""

import csv
import hashlib
import json
import platform
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from .. import __version__
from ..model import StableDiffusion
from ..ranks import rank
from ..tuning import ADAMW_STATE
from ..vae import LATENT, Posterior, from_bytes, to_uint8
from .cli import TUNE, UserError, check, named, number
from .files import read_json, tensors
from .sheets import loss_chart
from .video import GET_FFMPEG, replacing, write_gif, write_mp4, writes_mp4

RUNS = Path("runs")
Tensors = dict[str, Tensor]  # by name
AGAIN = "delete that file, and tune.py --resume, or sample.py, makes it again"
# What every run.json has; older ones lack some of the others.
NEEDED = set("clip prompt weights weights_hash frames size steps lr seed dtype".split())


@dataclass
class Source:
    """The clip of a run, and its latents."""

    frames: Tensor  # f 3 H W, in [-1, 1]
    latents: Posterior  # f c h w
    fps: float


def require_same_weights(model: StableDiffusion, digest: str) -> None:
    """UserError unless the model's weights are those that a run was tuned on."""
    if model.hash != digest:
        raise UserError(f"{model.path}: not the weights of this run; pass those to --weights")


def digest(found: Tensors) -> str:
    """16 hex digits that tell tensors from others."""
    sha = hashlib.sha256()
    for name in sorted(found):
        sha.update(name.encode() + found[name].contiguous().numpy().tobytes())
    return sha.hexdigest()[:16]


def kind(tensor: Tensor | None) -> str:
    """Dtype and shape in words, to compare and to show."""
    return "missing" if tensor is None else f"{tensor.dtype} {tuple(tensor.shape)}"


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
    def working(self, lock: str = ".lock") -> Iterator[None]:
        """Make the folder if need be, and keep others out who take the same lock. A new one goes if
        nothing was tuned in it."""
        if rank():  # rank 0 works for all
            return (yield)
        new = not self.path.exists()
        try:
            (self.path / "samples").mkdir(parents=True, exist_ok=True)
            held = open(self.path / lock, "a")  # the system unlocks it however this process ends
            with suppress(ImportError):  # on Windows, where a second process goes unnoticed
                import fcntl

                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = "another process is working in this run folder"
            raise UserError(f"{self.path}: {what}; wait for it") from None
        except OSError as error:
            what = f"cannot be written, {error.strerror}"
            raise UserError(f"{self.path}: {what}; choose another folder") from error
        with held:
            try:
                yield
            finally:
                if new and not (self.path / "tuned.safetensors").exists():
                    shutil.rmtree(self.path)

    @property
    def settings(self) -> dict:
        """What run.json says; UserError unless it is all there, as tune.py could have written."""
        file = self.path / "run.json"
        settings = read_json(file) if file.is_file() else {}
        lacking = ", ".join(sorted(NEEDED - settings.keys()))
        if lacking:
            what = f"not a run folder (its run.json lacks {lacking})"
            raise UserError(f"{self.path}: {what}; tune.py makes one")
        # And the seconds that were worked so far.
        options = TUNE | {"weights_hash": dict(type=named), "seconds": dict(type=number(float, 0))}
        check(file, settings, options, "mend it, or tune anew with tune.py")
        return settings

    def write_settings(self, settings: dict) -> None:
        """run.json: the settings, and the versions they worked with."""
        versions = dict(tav=__version__, torch=torch.__version__, python=platform.python_version())
        with replacing(self.path / "run.json") as part:
            part.write_text(json.dumps(settings | versions, indent=2) + "\n", encoding="utf-8")

    def load(self, name: str, expected_of: Callable[[Tensors], Tensors]) -> Tensors | None:
        """The tensors of `name`.safetensors, or None if there is no such file.

        UserError unless they have the names, dtypes and shapes of what `expected_of` them returns.
        """
        file = self.path / f"{name}.safetensors"
        if not file.exists():
            return None
        found = {key: value.clone() for key, value in tensors(file)}
        expected = expected_of(found)
        for key in sorted(found.keys() | expected.keys()):
            it_is, wanted = kind(found.get(key)), kind(expected.get(key))
            if it_is != wanted:
                fault = f"{it_is}, not {wanted}"
            elif key in ("fps", "scale") and not 0 < found[key].item() < float("inf"):
                fault = found[key].item()
            else:
                continue
            raise UserError(f"{file}: {key!r} is {fault}, which no run writes; {AGAIN}")
        return found

    def source(self, model: StableDiffusion) -> Source | None:
        """The clip, as the settings say to read it; None if it is not there yet."""
        if not (self.path / "source.safetensors").exists():
            return None
        f, size = self.settings["frames"], self.settings["size"]
        sides = reversed(size) if isinstance(size, list) else (size, size)
        height, width = (side // model.multiple * model.multiple for side in sides)
        frames = torch.empty(f, 3, height, width, dtype=torch.uint8, device="meta")
        h, w = height // model.vae.factor, width // model.vae.factor
        latents = torch.empty(f, LATENT, h, w, device="meta")
        expected = {"frames": frames, "mean": latents, "std": latents, "fps": torch.tensor(0.0)}
        found = self.load("source", lambda found: expected)
        latents = Posterior(found["mean"].to(model.device), found["std"].to(model.device))
        return Source(from_bytes(found["frames"]), latents, found["fps"].item())

    def keep_source(self, clip: Source) -> None:
        """source.safetensors, unless it is there: it never changes."""
        if not (self.path / "source.safetensors").exists():
            pixels = torch.from_numpy(to_uint8(clip.frames)).permute(0, 3, 1, 2)  # f 3 H W
            values = {"frames": pixels, "fps": torch.tensor(clip.fps)}
            self.save("source", values | {"mean": clip.latents.mean, "std": clip.latents.std})

    def tuned(self) -> Tensors | None:
        """The tuned weights, in fp32, of any UNet (`load_tuned` checks); None if there are none."""
        return self.load(
            "tuned", lambda found: {key: torch.empty(found[key].shape) for key in found}
        )

    def state(self, weights: Tensors) -> Tensors | None:
        """The state of the tuning of these weights, for `Tuning.restore`; None if there is none."""

        def expected(found: Tensors) -> Tensors:
            steps, scalar = found["losses"].numel() if "losses" in found else 0, torch.tensor(0.0)
            state = {"losses": torch.zeros(steps, dtype=torch.float64), "scale": scalar}
            # AdamW remembers all weights from the first update on, and none before it.
            updated = any(key.partition("/")[0] in ADAMW_STATE for key in found)
            for key, weight in weights.items():
                state[f"weight/{key}"] = weight
                for moment in ADAMW_STATE if updated else ():
                    state[f"{moment}/{key}"] = scalar if moment == "step" else weight
            return state

        return self.load("state", expected)

    def noise(self, name: str, latents: Tensor) -> Tensor | None:
        """The clip's noise, of the shape of its latents; None if there is no `name`.safetensors."""
        found = self.load(name, lambda found: {"noise": latents})
        return found and found["noise"]

    def save(self, name: str, values: Tensors) -> None:
        with replacing(self.path / f"{name}.safetensors") as part:
            part.write_bytes(save({key: value.contiguous().cpu() for key, value in values.items()}))

    def write_losses(self, losses: list[float]) -> None:
        """loss.csv, and loss.png, the same as a picture."""
        lines = [f"{i},{loss:.6g}\n" for i, loss in enumerate(losses)]
        with replacing(self.path / "loss.csv") as part:
            part.write_text("step,loss\n" + "".join(lines))
        self.write_picture("loss.png", loss_chart(losses))

    def write_picture(self, name: str, picture) -> None:
        (self.path / name).parent.mkdir(exist_ok=True)
        with replacing(self.path / name) as part:
            picture.save(part, format="png")

    def write_video(self, title: str, video: Tensor, fps: float) -> None:
        """A gif and an mp4 in samples/, named after the title: words and dashes, at most 80
        bytes. Without the mp4, and with a warning, where ffmpeg writes none."""
        name = re.sub(r"\W+", "-", title.lower()).strip("-").encode()[:80].decode(errors="ignore")
        write_gif(self.path / "samples" / f"{name}.gif", video, fps)
        if writes_mp4():
            write_mp4(self.path / "samples" / f"{name}.mp4", video, fps)
        else:
            warnings.warn(f"only gifs, because this ffmpeg lacks libx264 for mp4s; {GET_FFMPEG}")

    def write_scores(self, rows: list[tuple[str, float, float]]) -> str:
        """samples/scores.csv, a row for each video: its name and its `metrics.scores`; returns a
        table to print."""
        lines = [("video", "consistency", "alignment")]
        lines += [(name, *(f"{score:.2f}" for score in of_video)) for name, *of_video in rows]
        with replacing(self.path / "samples" / "scores.csv") as part:
            with open(part, "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(lines)
        return "\n".join(f"{c:>11}{a:>11}  {name}" for name, c, a in lines)

"""The run folder. Each file is written beside its place and moved there: it is whole or absent
(lesson 00).

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
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from .. import __version__
from ..model import StableDiffusion
from ..ranks import rank
from ..tuning import ADAMW_STATE
from ..vae import LATENT
from .cli import UserError, named, number, tune_parser
from .files import read_json, tensors
from .sheets import loss_chart
from .video import GET_FFMPEG, replacing, write_gif, write_mp4, writes_mp4

RUNS = Path("runs")
Tensors = dict[str, Tensor]  # by name
# What every run.json has; older ones lack some of the others.
NEEDED = {"clip", "prompt", "weights", "weights_hash", "size", "steps", "lr", "seed", "dtype"}
RESUME = "delete that file, and continue the run with tune.py --resume"


def require_same_weights(model: StableDiffusion, digest: str) -> None:
    """UserError unless the model's weights are those that a run was tuned on."""
    if model.hash != digest:
        what = "not the weights this run was tuned on"
        raise UserError(f"{model.path}: {what}; pass those to --weights")


def digest(found: Tensors) -> str:
    """16 hex digits that tell tensors from others."""
    sha = hashlib.sha256()
    for name in sorted(found):
        sha.update(name.encode() + found[name].contiguous().numpy().tobytes())
    return sha.hexdigest()[:16]


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
            what = f"{self.path}: cannot be written, {error.strerror}"
            raise UserError(f"{what}; choose another folder") from error
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
        parser = tune_parser()
        parser.add_argument("--weights-hash", type=named)
        parser.add_argument("--seconds", type=number(float, 0))  # worked so far
        parser.check(file, settings, "mend it, or tune anew with tune.py")
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

    def load(
        self, name: str, expected_of: Callable[[Tensors], Tensors], advice: str = RESUME
    ) -> Tensors | None:
        """The tensors of `name`.safetensors, or None if there is no such file.

        UserError, which ends with the advice, unless they have the names, dtypes and shapes of what
        `expected_of` them returns, which may be on the meta device.
        """
        file = self.path / f"{name}.safetensors"
        if not file.exists():
            return None
        found = {key: value.clone() for key, value in tensors(file)}
        expected = expected_of(found)
        for key in sorted(found.keys() | expected.keys()):
            if key not in found or key not in expected:
                fault = f"{'without' if key in expected else 'with'} a tensor {key!r}"
            elif found[key].dtype != expected[key].dtype:
                fault = f"{key!r} is {found[key].dtype}, not {expected[key].dtype}"
            elif found[key].shape != expected[key].shape:
                shapes = f"{tuple(found[key].shape)}, not {tuple(expected[key].shape)}"
                fault = f"{key!r} is of shape {shapes}"
            elif key in ("fps", "scale") and not 0 < found[key].item() < float("inf"):
                fault = f"{key!r} is {found[key].item()}"
            else:
                continue
            raise UserError(f"{file}: {fault}, which no run writes; {advice}")
        return found

    def source(self, model: StableDiffusion) -> Tensors | None:
        """The clip: frames, mean and std of their latents, fps; None if there is none yet."""

        def expected(found: Tensors) -> Tensors:
            """Frames of the size that they have, if the model takes such, and their latents."""
            shape = found["frames"].shape if "frames" in found else ()
            f, _, *sides = shape if len(shape) == 4 else (1, 3, 0, 0)
            f, *sides = max(1, f), *(max(1, s // model.multiple) * model.multiple for s in sides)
            frames = torch.empty(f, 3, *sides, dtype=torch.uint8, device="meta")
            latent = [side // model.vae.factor for side in sides]
            latents = torch.empty(f, LATENT, *latent, device="meta")
            return {"frames": frames, "mean": latents, "std": latents, "fps": torch.tensor(0.0)}

        return self.load("source", expected)

    def tuned(self) -> Tensors | None:
        """The tuned weights; None if there are none yet. Whether they are those of a UNet,
        `load_tuned` checks."""

        def expected(found: Tensors) -> Tensors:
            """All of them in fp32."""
            return {key: torch.empty(found[key].shape, device="meta") for key in found}

        return self.load("tuned", expected)

    def state(self, weights: Tensors) -> Tensors | None:
        """The state of the tuning of these weights, for `Tuning.restore`; None if there is none
        yet."""

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
        """The clip's noise, kept in `name`.safetensors, of the shape of its latents; None if there
        is none yet."""
        advice = "delete that file, and sample.py makes it again"
        found = self.load(name, lambda found: {"noise": latents}, advice)
        return found and found["noise"]

    def save(self, name: str, values: dict[str, Tensor]) -> None:
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

    def write_scores(self, rows: list[tuple[str, float, float, float]]) -> str:
        """samples/scores.csv, from a row for each video: its name and its `metrics.scores`; returns
        a table to print."""
        lines = [("video", "consistency", "adjacent", "alignment")]
        lines += [(name, *(f"{score:.2f}" for score in of_video)) for name, *of_video in rows]
        with replacing(self.path / "samples" / "scores.csv") as part:
            with open(part, "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(lines)
        return "\n".join(f"{c:>11}{a:>10}{t:>11}  {name}" for name, c, a, t in lines)

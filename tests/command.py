"""tune.py and sample.py called as from a shell, but in this process, which spares the import of
torch."""

import io
import os
import re
import shutil
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import torch
from PIL import Image

from tav.io.cli import run

# What most tests tune with: 2 of the clip's frames, on the tiny model.
BASE = ["clip.gif", "a man is skiing", "--weights", "weights", "--out", "run"]
SHORT = [*BASE, "--frames", "2", "--stride", "2", "--size", "16", "--steps", "3"]


@dataclass
class Done:
    status: int
    out: str
    err: str


def call(script: ModuleType, *arguments: str, folder: Path) -> Done:
    """`python SCRIPT ARGUMENTS` in `folder`. A bug, unlike an error, comes out as the exception it
    is."""
    before = Path.cwd(), sys.argv, signal.getsignal(signal.SIGINT)
    out, err, status = io.StringIO(), io.StringIO(), 0
    os.chdir(folder)
    sys.argv = [script.__file__, *arguments]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            run(script.main)
    except SystemExit as end:
        status = end.code
    finally:
        os.chdir(before[0])
        sys.argv = before[1]
        signal.signal(signal.SIGINT, before[2])
    return Done(status, out.getvalue(), without_bars(err.getvalue()))


def without_bars(err: str) -> str:
    """What else was written to stderr. A progress bar is a line that was written over and over."""
    return re.sub("\r[^\n]*\n", "", err)


def succeed(script: ModuleType, *arguments: str, folder: Path) -> Done:
    done = call(script, *arguments, folder=folder)
    assert (done.status, done.err) == (0, ""), done
    return done


def write_clip(path: Path, frames: int = 8) -> None:
    """A gif of 24 x 24 pixels in which a square moves."""
    pages = []
    for i in range(frames):
        page = Image.new("RGB", (24, 24), (30, 120, 200))
        page.paste((220, 60, 40), (i, 6, i + 8, 14))
        pages.append(page)
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=100)


def copy(source: Path, target: Path) -> Path:
    """A folder of commands, copied; links stay links."""
    return shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)


def tree(folder: Path) -> dict[str, tuple]:
    """Everything in a folder: names, and sizes and hashes of files."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (
            path.is_dir(),
            len(content),
            sha256(content).hexdigest(),
        )
    return found


def poison(value: float = float("nan")):
    """A stand-in for `Tuning.update` that, at step 2, leaves weights with which the next loss is
    `value`."""
    from tav.tuning import Tuning

    update = Tuning.update

    def poisoned(self, loss: torch.Tensor) -> None:
        update(self, loss)
        if len(self.losses) == 3:
            for name in self.masters:
                self.masters[name].data.fill_(value)
                self.parameters[name].data.fill_(value)

    return poisoned

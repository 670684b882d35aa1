"""Mistakes: each is one line on stderr and exit status 2, and leaves the disk as it was."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import torch
from command import SHORT, call, copy, succeed, tree, write_clip
from safetensors.torch import load_file, save_file

import sample
import tune
from tav.io import video

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder with a clip, weights and a run in it; not to be changed."""
    place = tmp_path_factory.mktemp("done")
    write_clip(place / "clip.gif")
    tiny.folder(place / "weights")
    succeed(tune, *SHORT, folder=place)
    return place


@pytest.fixture
def place(done, tmp_path):
    """A copy of it to work in, without the run; `weights` are links to files, so that one can be
    exchanged."""
    shutil.copy(done / "clip.gif", tmp_path)
    for file in (done / "weights").rglob("*.*"):
        link = tmp_path / "weights" / file.relative_to(done / "weights")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    return tmp_path


def write(path: Path, content: str | bytes) -> None:
    """A new file; a link of that name goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def unet(place: Path, change) -> None:
    """Exchange the UNet's tensors for `change(them)`."""
    file = place / "weights" / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = change(load_file(file))
    file.unlink()
    save_file(tensors, file)


def own_settings(place: Path, values: dict | list) -> None:
    write(place / "weights" / "tav.json", json.dumps(values))


def run_json(place: Path, change) -> None:
    file = place / "run" / "run.json"
    file.write_text(json.dumps(change(json.loads(file.read_text()))))


def without(*keys):
    return lambda values: {key: value for key, value in values.items() if key not in keys}


def full(place: Path, patch) -> None:
    """A disk on which no file can be finished."""

    def replace(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    patch.setattr(video.os, "replace", replace)


def busy(place: Path, patch) -> None:
    """Others that tune and sample in the run folder. (A lock belongs to an opening of the file,
    here another one.)"""
    locks = [open(place / "run" / name, "a") for name in (".lock", "source.safetensors")]
    for lock in locks:
        fcntl.flock(lock, fcntl.LOCK_EX)
    patch.setattr(video, "kept_open", locks, raising=False)


NOTHING = lambda place: None  # noqa: E731
CLIP = "clip.gif"
A_MAN = "a man is skiing"
TO_RUN = ["--weights", "weights", "--out", "run"]

# One damaged film, one damaged weights file: test_video.py and test_weights.py have the others.
# What is wrong, what is done to the folder beforehand, the arguments, and what the line must say.
TUNE = {
    "no arguments": (NOTHING, [], "a clip and a prompt are needed"),
    "no prompt": (NOTHING, [CLIP], "a clip and a prompt are needed"),
    "empty prompt": (NOTHING, [CLIP, " \t"], "argument prompt: an empty prompt"),
    "no such clip": (NOTHING, ["none.mp4", A_MAN, *TO_RUN], "none.mp4: no such file"),
    "no such clip nor weights": (
        NOTHING,
        ["none.mp4", A_MAN, "--weights", "none"],
        "none.mp4: no such file",
    ),
    "a folder that holds no pictures": (
        NOTHING,
        ["weights", A_MAN, *TO_RUN],
        "weights: no png or jpg",
    ),
    "text called mp4": (
        lambda p: write(p / "clip.mp4", "hello"),
        ["clip.mp4", A_MAN, *TO_RUN],
        "clip.mp4: it is cut",
    ),
    "too few frames": (
        NOTHING,
        [CLIP, A_MAN, "--frames", "5", *TO_RUN],
        "found only 4 of 5 frames",
    ),
    "size 15": (
        NOTHING,
        [CLIP, A_MAN, "--frames", "2", "--size", "15", *TO_RUN],
        "multiples of 4; choose another --size",
    ),
    "size 0": (
        NOTHING,
        [*SHORT, "--size", "0"],
        "argument --size: 0 is not from 1 to 16384; see --help",
    ),
    "frames 0": (
        NOTHING,
        [*SHORT, "--frames", "0"],
        "argument --frames: 0 is not from 1 to 100000; see --help",
    ),
    "stride 0": (
        NOTHING,
        [*SHORT, "--stride", "0"],
        "argument --stride: 0 is not 1 or more; see --help",
    ),
    "start -1": (
        NOTHING,
        [*SHORT, "--start", "-1"],
        "argument --start: -1 is not 0 or more; see --help",
    ),
    "steps 0": (
        NOTHING,
        [*SHORT, "--steps", "0"],
        "argument --steps: 0 is not 1 or more; see --help",
    ),
    "steps in words": (
        NOTHING,
        [*SHORT, "--steps", "many"],
        "argument --steps: invalid int value: 'many'; see --help",
    ),
    "steps 1.5": (
        NOTHING,
        [*SHORT, "--steps", "1.5"],
        "argument --steps: invalid int value: '1.5'; see --help",
    ),
    "lr -1": (NOTHING, [*SHORT, "--lr", "-1"], "argument --lr: -1 is not from 0 to 1; see --help"),
    "lr nan": (
        NOTHING,
        [*SHORT, "--lr", "nan"],
        "argument --lr: nan is not from 0 to 1; see --help",
    ),
    "seed -1": (
        NOTHING,
        [*SHORT, "--seed", "-1"],
        "argument --seed: -1 is not from 0 to 4294967295; see --help",
    ),
    "an unknown option": (
        NOTHING,
        [*SHORT, "--stops", "3"],
        "unrecognized arguments: --stops 3; see --help",
    ),
    "an unknown device": (NOTHING, [*SHORT, "--device", "abacus"], "device abacus is not there"),
    "an unknown dtype": (
        NOTHING,
        [*SHORT, "--dtype", "fp8"],
        "argument --dtype: invalid choice: 'fp8'",
    ),
    "no such weights": (
        NOTHING,
        [*SHORT, "--weights", "no/such/weights"],
        "no/such/weights: no such weights folder",
    ),
    "a missing tensor": (lambda p: unet(p, without("conv_in.bias")), SHORT, "conv_in.bias"),
    "a tav.json that is no object": (
        lambda p: own_settings(p, []),
        SHORT,
        "weights/tav.json: cannot be read as JSON",
    ),
    "a folder with something in it": (
        lambda p: write(p / "run" / "a.txt", "hello"),
        SHORT,
        "run: not an empty folder",
    ),
    "a file for a folder": (lambda p: write(p / "run", "hello"), SHORT, "run: not an empty folder"),
    "a folder in a file": (NOTHING, [*SHORT, "--out", "clip.gif/run"], "cannot be written"),
    "a read-only place": (NOTHING, [*SHORT, "--out", "/proc/run"], "/proc/run: cannot be written"),
    "weights that give nan": (
        lambda p: unet(p, lambda t: t | {"conv_out.bias": torch.full((4,), torch.nan)}),
        SHORT,
        "the loss is nan at step 0; try a smaller --lr",
    ),
    "the same in bf16": (
        lambda p: unet(p, lambda t: t | {"conv_out.bias": torch.full((4,), torch.nan)}),
        [*SHORT, "--dtype", "bf16"],
        "the loss is nan at step 0; try --dtype fp32 or a smaller --lr",
    ),
    "nothing to resume": (NOTHING, ["--resume"], "no run in runs/ yet"),
    "resume what is no run": (
        NOTHING,
        ["--resume", "--out", "weights"],
        "weights: not a run folder",
    ),
}

RUN = ["--run", "run"]
QUICK = ["a panda", *RUN, "--steps", "2"]
RESUME = ["--resume", "--out", "run"]

# The same with a run in the folder.
AFTER = {
    "tune where a run is": (
        tune,
        NOTHING,
        SHORT,
        "run: not an empty folder; choose another --out, or --resume it",
    ),
    "resume with another lr": (
        tune,
        NOTHING,
        [*RESUME, "--lr", "0.1"],
        "the run has lr 3e-05, not 0.1",
    ),
    "resume with another clip": (
        tune,
        NOTHING,
        ["b.gif", A_MAN, *RESUME],
        "the run has clip clip.gif, not b.gif",
    ),
    "resume with another seed": (
        tune,
        NOTHING,
        [*RESUME, "--seed", "1"],
        "the run has seed 0, not 1",
    ),
    "resume with fewer steps": (
        tune,
        NOTHING,
        [*RESUME, "--steps", "2"],
        "3 steps are done already",
    ),
    "resume with other weights": (
        tune,
        lambda p: tiny.folder(p / "b", seed=1),
        [*RESUME, "--weights", "b"],
        "b: not the weights of this run",
    ),
    "resume a damaged state": (
        tune,
        lambda p: write(p / "run" / "state.safetensors", "hello"),
        RESUME,
        "state.safetensors: not a whole safetensors file",
    ),
    "run.json is no JSON": (
        tune,
        lambda p: write(p / "run" / "run.json", '{"clip": '),
        RESUME,
        "run.json",
    ),
    "run.json is cut": (
        tune,
        lambda p: run_json(p, without("lr", "seed")),
        RESUME,
        "its run.json lacks lr, seed",
    ),
    "sample: no run": (sample, NOTHING, ["a panda"], "no run in runs/ yet"),
    "sample: no run there": (
        sample,
        NOTHING,
        ["a panda", "--run", "none"],
        "none: not a run folder",
    ),
    "sample: not a run": (
        sample,
        NOTHING,
        ["a panda", "--run", "weights"],
        "weights: not a run folder",
    ),
    "sample: run.json is cut": (
        sample,
        lambda p: run_json(p, without("weights")),
        QUICK,
        "run: not a run folder",
    ),
    "sample: nothing tuned": (
        sample,
        lambda p: (p / "run" / "tuned.safetensors").unlink(),
        QUICK,
        "nothing is tuned",
    ),
    "sample: damaged": (
        sample,
        lambda p: write(p / "run" / "tuned.safetensors", "hello"),
        QUICK,
        "not a whole safetensors file",
    ),
    "sample: not these": (
        sample,
        lambda p: save_file({"a": torch.zeros(1)}, p / "run" / "tuned.safetensors"),
        QUICK,
        "run: tuned for other weights",
    ),
    "sample: other weights": (
        sample,
        lambda p: tiny.folder(p / "b", seed=1),
        [*QUICK, "--weights", "b"],
        "b: not the weights of this run",
    ),
    "sample: weights gone": (
        sample,
        lambda p: shutil.rmtree(p / "weights"),
        QUICK,
        "weights: no such weights",
    ),
    "sample: empty prompt": (sample, NOTHING, ["a panda", " ", *RUN], "an empty prompt"),
    "sample: steps 0": (
        sample,
        NOTHING,
        [*QUICK, "--steps", "0"],
        "argument --steps: 0 is not from 1 to 999",
    ),
    "sample: steps 1001": (
        sample,
        NOTHING,
        [*QUICK, "--steps", "1001"],
        "argument --steps: 1001 is not from 1 to 999",
    ),
    "sample: guidance -1": (
        sample,
        NOTHING,
        [*QUICK, "--guidance", "-1"],
        "argument --guidance: -1 is not 0 or more",
    ),
    "sample: guidance nan": (
        sample,
        NOTHING,
        [*QUICK, "--guidance", "nan"],
        "argument --guidance: nan is not 0 or",
    ),
    "sample: guidance inf": (
        sample,
        NOTHING,
        [*QUICK, "--guidance", "inf"],
        "argument --guidance: inf is not 0 or",
    ),
    "sample: unknown device": (
        sample,
        NOTHING,
        [*QUICK, "--device", "abacus"],
        "device abacus is not there",
    ),
    "sample: unknown dtype": (
        sample,
        NOTHING,
        [*QUICK, "--dtype", "int8"],
        "argument --dtype: invalid choice: 'int8'",
    ),
}

# The same, where what is wrong is not a file: (script, what to patch, arguments, words).
AROUND = {
    "tune on a full disk": (
        tune,
        full,
        [*SHORT, "--out", "new"],
        "run.json: cannot be written, No space left",
    ),
    "resume on a full disk": (tune, full, RESUME, "run.json: cannot be written, No space left"),
    "sample on a full disk": (sample, full, QUICK, "cannot be written, No space left"),
    "sample in a busy folder": (
        sample,
        busy,
        QUICK,
        "run: another process is working in this run folder",
    ),
    "resume in a busy folder": (
        tune,
        busy,
        RESUME,
        "run: another process is working in this run folder",
    ),
}


def check(script, place: Path, arguments: list[str], words: str) -> None:
    before = tree(place)
    done = call(script, *arguments, folder=place)
    assert (
        done.err.startswith("error: ") and done.err.endswith("\n") and done.err.count("\n") == 1
    ), done
    assert words in done.err
    assert (done.status, done.out) == (2, "")
    assert tree(place) == before


@pytest.mark.parametrize("case", TUNE)
def test_a_mistake_in_tuning(case, place):
    prepare, arguments, words = TUNE[case]
    prepare(place)
    check(tune, place, arguments, words)


@pytest.mark.parametrize("case", AFTER)
def test_a_mistake_with_a_run(case, place, done):
    script, prepare, arguments, words = AFTER[case]
    copy(done / "run", place / "run")
    prepare(place)
    check(script, place, arguments, words)


@pytest.mark.parametrize("case", AROUND)
def test_a_mistake_around_a_run(case, place, done, monkeypatch):
    script, patch, arguments, words = AROUND[case]
    copy(done / "run", place / "run")
    patch(place, monkeypatch)
    check(script, place, arguments, words)


@pytest.mark.parametrize(
    "script, arguments, words",
    [
        ("tune.py", ["none.mp4", A_MAN], "none.mp4: no such file"),
        ("sample.py", RUN, "run: not a run folder"),
    ],
)
def test_the_real_processes_do_the_same(script, arguments, words, place):
    before = tree(place)
    command = [sys.executable, str(ROOT / script), *arguments]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {words}") and done.stderr.count("\n") == 1
    assert tree(place) == before

"""Run folders whose tensors are not what a run writes: one line says so, or the command works.

A state without elements in AdamW's moments once killed the process: the fused AdamW reads past
their end.
"""

import random
import re
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from command import SHORT, Done, call, copy, succeed, write_clip
from safetensors.torch import load_file, save_file

import sample
import tune

RESUME = ["--resume", "--out", "run", "--steps", "4"]
SAMPLE = ["a panda", "--run", "run", "--steps", "1", "--guidance", "1"]
DTYPES = [torch.float16, torch.float64, torch.int64, torch.uint8, torch.bool, torch.complex64]
VALUES = [float("nan"), float("inf"), -1.0, 0.0, 1e30]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder with a clip, weights and a sampled run in it; not to be changed."""
    place = tmp_path_factory.mktemp("done")
    write_clip(place / "clip.gif")
    tiny.folder(place / "weights")
    succeed(tune, *SHORT, folder=place)
    succeed(sample, *SAMPLE, folder=place)
    return place


@pytest.fixture(autouse=True, scope="module")
def read_once():
    """The weights stay the same; reading them for each command would take most of the time."""
    original, loaded = tune.load, {}

    def load(path, device, dtype):
        if dtype not in loaded:
            loaded[dtype] = original(path, device, dtype)
        return replace(loaded[dtype], unet=deepcopy(loaded[dtype].unet))  # only that changes

    with pytest.MonkeyPatch.context() as patch:
        for script in (tune, sample):
            patch.setattr(script, "load", load)
        yield


def damaged(tensor: torch.Tensor, chance: random.Random) -> torch.Tensor:
    """The tensor with another shape, dtype or values."""
    kind = chance.choice(["empty", "more", "less", "longer", "shorter", "dtype", "values"])
    if kind == "empty":
        return tensor.new_zeros((0, *tensor.shape[1:]))
    if kind == "more":
        return tensor[None].clone()
    if kind == "less":
        return tensor.flatten()[0].clone() if tensor.numel() else tensor.new_zeros(())
    if kind in ("longer", "shorter") and tensor.dim():
        side = chance.randrange(tensor.dim())
        size = tensor.shape[side] + (1 if kind == "longer" else -1)
        return torch.zeros_like(tensor).repeat_interleave(2, side).narrow(side, 0, size).clone()
    if kind == "dtype":
        return tensor.to(chance.choice([d for d in DTYPES if d != tensor.dtype]))
    return torch.full_like(tensor.double(), chance.choice(VALUES)).to(tensor.dtype)


def outcome(done: Done) -> None:
    """Fails unless the command worked, or ended with one line of error."""
    lines = done.err.splitlines()
    assert done.status in (0, 2), done
    if done.status == 2:
        assert len(lines) == 1 and re.match("error: .*; ", lines[0]), done
    else:
        assert not any(line.startswith("error: ") for line in lines), done


def damage(folder: Path, name: str, change) -> None:
    """Change one file of a run, with a function that changes its tensors in place."""
    file = next((folder / "run").glob(f"{name}*.safetensors"))
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)


SEEDS = [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 100))]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_damaged_run_works_or_ends_in_one_line(seed, done, tmp_path):
    chance = random.Random(seed)
    name = ["source", "state", "inversion", "tuned"][seed % 4]
    (tmp_path / "weights").symlink_to(done / "weights")
    copy(done / "run", tmp_path / "run")

    def change(tensors: dict) -> None:
        key = chance.choice(sorted(tensors))
        if name == "state" and chance.random() < 0.4:
            key = chance.choice(["losses", "scale"])  # rarely met among so many weights
        what = chance.random()
        if what < 0.1:
            del tensors[key]
        elif what < 0.2:
            tensors[f"{key}/more"] = tensors[key].clone()
        else:
            tensors[key] = damaged(tensors[key], chance)

    damage(tmp_path, name, change)
    before = {p: p.read_bytes() for p in (tmp_path / "run").glob("*.*")}
    commands = {
        "source": [(sample, SAMPLE), (tune, RESUME)],
        "state": [(tune, RESUME)],  # sample.py does not read it
    }
    for script, arguments in commands.get(name, [(sample, SAMPLE)]):
        ended = call(script, *arguments, folder=tmp_path)
        outcome(ended)
        if ended.status == 2 and "which no run" in ended.err:
            assert before == {p: p.read_bytes() for p in (tmp_path / "run").glob("*.*")}


def empty_moments(tensors: dict) -> None:
    for key in tensors:
        if key.startswith("exp_avg"):
            tensors[key] = torch.zeros(0)


def some_moments(tensors: dict) -> None:
    del tensors[next(key for key in tensors if key.startswith("step/"))]


def set_to(key: str, value: torch.Tensor):
    return lambda tensors: tensors.update({key: value})


LATENTS = torch.zeros(2, 4, 6, 6)


@pytest.mark.parametrize(
    "script, name, change, says",
    [
        (
            tune,
            "state",
            empty_moments,
            r"'exp_avg/.*' is torch.float32 \(0,\), not torch.float32 \(64, 64\)",
        ),
        (tune, "state", some_moments, "'step/.*' is missing, not torch.float32"),
        (
            tune,
            "state",
            set_to("losses", torch.zeros(3)),
            "'losses' is torch.float32 .*, not torch.float64",
        ),
        (tune, "state", set_to("scale", torch.tensor(0.0)), "'scale' is 0.0"),
        (sample, "source", set_to("fps", torch.tensor(float("nan"))), "'fps' is nan"),
        (
            sample,
            "source",
            lambda tensors: tensors.update(mean=LATENTS, std=LATENTS.clone()),
            r"'mean' is torch.float32 \(2, 4, 6, 6\), not torch.float32 \(2, 4, 8, 8\)",
        ),
        (sample, "tuned", lambda t: t.update({k: v.half() for k, v in t.items()}), "is torch.fl"),
        (sample, "inversion", set_to("noise", LATENTS), r"'noise' is torch.float32 \(2, 4, 6, 6\)"),
    ],
)
def test_the_line_says_what_is_wrong_and_which_file_to_delete(
    script, name, change, says, done, tmp_path
):
    (tmp_path / "weights").symlink_to(done / "weights")
    copy(done / "run", tmp_path / "run")
    damage(tmp_path, name, change)
    arguments = RESUME if script is tune else SAMPLE
    failed = call(script, *arguments, folder=tmp_path)
    outcome(failed)
    assert failed.status == 2
    assert re.search(rf"run/{name}.*\.safetensors: .*{says}.*; delete that file, and", failed.err)


def test_losses_that_are_not_finite_are_left_out_of_the_picture(tmp_path):
    run = tune.Run(tmp_path)
    for odd in (float("nan"), float("inf"), -float("inf"), -1e300, 1e308):
        run.write_losses([odd, odd, 1.0, -odd])
        assert len((tmp_path / "loss.csv").read_text().splitlines()) == 5

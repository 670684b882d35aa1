"""Under torchrun: two processes tune what one process would from both their steps' gradients, and
share prompts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import torch
from command import SHORT, succeed, write_clip
from PIL import Image
from safetensors.torch import load_file

import sample
import tav
from tav import tuning
from tav.io.video import read_clip

ROOT = Path(__file__).parent.parent
TORCHRUN = [
    sys.executable,
    "-m",
    "torch.distributed.run",
    "--standalone",
    "--nproc_per_node",
    "2",
    "--",
]
PROMPTS = ["a panda", "a dog", "a cat"]
QUICK = ["--run", "run", "--steps", "2", "--guidance", "3"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder where two processes have tuned on a clip, and edited it by three prompts."""
    place = tmp_path_factory.mktemp("ranks")
    tiny.folder(place / "weights")
    write_clip(place / "clip.gif")
    for script, args in (("tune.py", SHORT), ("sample.py", [*PROMPTS, *QUICK])):
        command = [*TORCHRUN, ROOT / script, *args]
        env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return place


def test_gradients_are_averaged(place, monkeypatch):
    """By hand: at each step the mean of the gradients of both ranks' draws."""
    model = tav.load(place / "weights")
    frames, _ = read_clip(place / "clip.gif", frames=2, stride=2, size=16)
    posterior = tuning.encode_clip(model, frames)
    run = tuning.Tuning(
        model, posterior, model.embed("a man is skiing"), model.recipe("tune")["lr"], 0
    )
    monkeypatch.setattr(tuning, "world_size", lambda: 2)  # by which `update` divides
    for _ in range(3):
        losses = []
        for rank in range(2):
            monkeypatch.setattr(tuning, "rank", lambda rank=rank: rank)
            losses.append(run.loss())
        run.update(losses[0] + losses[1])
    tuned = load_file(place / "run" / "tuned.safetensors")
    assert tuned.keys() == run.masters.keys()
    for name, value in run.masters.items():
        assert torch.allclose(tuned[name], value, atol=1e-6), name


def test_prompts_are_shared_and_each_edit_is_what_one_process_makes(place):
    samples = place / "run" / "samples"
    shared = {path.name: path.read_bytes() for path in samples.iterdir()}
    assert len(shared) == 2 * (len(PROMPTS) + 1) + 1 and Image.open(samples / "comparison.png")
    for path in samples.iterdir():
        path.unlink()
    succeed(sample, *PROMPTS, *QUICK, folder=place)
    assert {path.name: path.read_bytes() for path in samples.iterdir()} == shared

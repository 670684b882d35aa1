"""The recipe runs from drawings to weights; what it writes beside them is what lies in
weights/mini."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tav
from tav.io.weights import load_clip
from tav.sampling import sample
from tav.text import END, START
from weights.make import miniature as made

ROOT = Path(__file__).parents[1]
MINI = ROOT / "weights" / "mini"
VOCABULARY = json.loads((MINI / "tokenizer" / "vocab.json").read_text(encoding="utf-8"))
TEXT = made.text_config(VOCABULARY, VOCABULARY[START], VOCABULARY[END])
WRITTEN = {
    "model_index.json": made.MODEL_INDEX,
    "tav.json": made.DEFAULTS,
    "scheduler/scheduler_config.json": made.SCHEDULER,
    "unet/config.json": made.UNET_CONFIG,
    "vae/config.json": made.VAE_CONFIG,
    "text_encoder/config.json": TEXT,
    "clip/config.json": made.clip_config(TEXT),
    "clip/preprocessor_config.json": made.PREPROCESSOR,
}


def test_an_export_would_change_no_setting():
    for name, value in WRITTEN.items():
        assert json.loads((MINI / name).read_text(encoding="utf-8")) == value, name


def test_nothing_else_is_written():
    copied = {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"}
    found = {
        str(file.relative_to(MINI)) for file in MINI.rglob("*.json") if file.name not in copied
    }
    assert found == set(WRITTEN)


@pytest.mark.slow
def test_one_command_makes_weights_from_nothing(tmp_path):
    out = tmp_path / "mini"
    sizes = ["--pictures", "60", "--held-out", "20", "--steps", "2"]  # two steps of each training
    command = [sys.executable, "-m", "weights.make.train", *sizes, "--build", str(tmp_path)]
    subprocess.run([*command, "--out", str(out)], cwd=ROOT, check=True)
    text = json.loads((out / "text_encoder" / "config.json").read_text())
    assert text["vocab_size"] == len(json.loads((out / "tokenizer" / "vocab.json").read_text()))
    model = tav.load(out, "cpu")
    latents = sample(model, torch.randn(1, 4, 16, 16), model.embed(["", "a man"]), 2, 2.0)
    assert torch.isfinite(latents).all()
    clip, _ = load_clip(out / "clip")  # the text tower is the UNet's
    ours, towers = model.text_encoder.state_dict(), clip.state_dict()
    assert ours and all(torch.equal(weight, towers[name]) for name, weight in ours.items())
    assert (tmp_path / "clip.mp4").stat().st_size > 1000

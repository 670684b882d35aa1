"""The core as a whole: what importing it loads, and whether a tensor of it stays on the CPU."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import golden
import pytest
import tiny
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import tav
from tav.difference import edit_by_difference
from tav.io.weights import load_tuned
from tav.metrics import CLIP, scores
from tav.model import StableDiffusion
from tav.sampling import invert, sample
from tav.schedule import Schedule
from tav.text import END, START, Tokenizer
from tav.tuning import Tuning, encode_clip
from tav.vae import decode

ROOT = Path(__file__).parents[1]


# ---- imports


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh Python has loaded after the statement."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_core_loads_neither_pillow_nor_the_hub_nor_a_video_reader():
    loaded = loaded_by("import tav.layers, tav.unet, tav.vae, tav.inflation, tav.schedule")
    assert "torch" in loaded
    assert not loaded & {"PIL", "huggingface_hub", "imageio", "imageio_ffmpeg"}


def test_the_core_loads_nothing_of_the_machinery():
    names = ", ".join(f"tav.{file.stem}" for file in (ROOT / "tav").glob("[!_]*.py"))
    loaded = loaded_by(f"import {names}")
    assert {"tav.api", "tav.tuning"} <= loaded
    assert not [name for name in loaded if name.startswith("tav.io")]


def test_what_the_package_offers_is_there_when_it_is_asked_for():
    assert {"tune", "edit", "load", "inflate", "trainable", "read_clip"} <= set(tav.__all__)
    assert all(callable(getattr(tav, name)) for name in tav.__all__)
    assert set(tav.__all__) <= set(dir(tav))
    with pytest.raises(AttributeError, match="'tav' has no attribute 'nothing'"):
        tav.nothing


def test_ranks_are_read_when_they_are_asked_for(monkeypatch):
    from tav.ranks import rank, world_size

    assert (rank(), world_size()) == (0, 1)
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert (rank(), world_size()) == (3, 4)


# ---- devices and dtypes


def tiny_model() -> StableDiffusion:
    """Random weights, and a tokenizer that knows one word."""
    tokenizer = Tokenizer({"a</w>": 0, START: 1, END: 2}, [])
    return StableDiffusion(
        tokenizer, **tiny.modules(), schedule=Schedule(), path="", hash="", size=16
    )


def test_the_unet_may_be_in_half_precision_alone():
    """VAE and text encoder stay in fp32, as on a GPU; latents are in fp32 all along."""
    model = tiny_model()
    model.unet.to(torch.bfloat16)
    posterior = encode_clip(model, torch.rand(2, 3, 16, 16))
    assert posterior.mean.dtype == torch.float32 and model.embed("a").dtype == torch.bfloat16
    tuning = Tuning(model, posterior, model.embed("a"), 1e-3, seed=0)
    tuning.update(tuning.loss())
    assert tuning.losses[0] > 0
    noise = invert(model, posterior.mean, 2)
    edited = sample(model, noise, model.embed(["", "a"]), 2, 7.5)
    assert edited.dtype == decode(model.vae, edited).dtype == torch.float32


@pytest.fixture
def numbers_are_nought(monkeypatch):
    """Where the core needs numbers of tensors, it gets such, though the meta device has none."""

    def on_meta_gives(name: str, answer) -> None:
        original = getattr(Tensor, name)
        monkeypatch.setattr(Tensor, name, lambda x: answer(x) if x.is_meta else original(x))

    on_meta_gives("item", lambda x: 0.0)
    on_meta_gives("__bool__", lambda x: True)  # all are finite
    on_meta_gives("cpu", lambda x: torch.zeros(x.shape, dtype=x.dtype))
    plain = partial(torch.optim.AdamW, fused=False)  # the fused one does not know the meta device
    monkeypatch.setattr(torch.optim, "AdamW", lambda p, lr, fused, **more: plain(p, lr, **more))


class OneDevice(TorchDispatchMode):
    """Within, an operation with tensors on two devices raises, as a GPU would (meta tensors let a
    few pass), unless it is a copy from one to the other or has a single number from the CPU."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor) and x.dim()]
        copies = function in (torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default)
        if len({x.device for x in tensors}) > 1 and not copies:
            raise RuntimeError(f"{function} with tensors on two devices")
        return function(*args, **(kwargs or {}))


def test_nothing_is_left_behind_on_the_cpu(numbers_are_nought):
    with OneDevice():
        whole_core_on_meta()


def whole_core_on_meta() -> None:
    """Embed, encode, tune, invert, sample, edit by difference, decode, score."""
    model, sizes = tiny_model(), golden.sizes("metrics")
    for part in (model.text_encoder, model.vae, model.unet):
        part.to("meta")
    clip = CLIP(sizes["text"], sizes["vision"], sizes["width"]).to("meta")
    frames = torch.rand(2, 3, 16, 16, device="meta")
    posterior = encode_clip(model, frames)
    tuning = Tuning(model, posterior, model.embed("a"), 1e-3, seed=0, checkpointing=True)
    for _ in range(2):
        tuning.update(tuning.loss())
    state = {name: value for name, value in tuning.state().items() if name != "losses"}
    assert {name for name, value in state.items() if value.device.type == "cpu"} <= {
        "scale",
        *(name for name in state if name.startswith("step/")),  # AdamW, not fused, keeps it there
    }
    load_tuned(model.unet, tuning.tuned(), "")
    latents = posterior.mean
    noise = invert(model, latents, 2)
    text = model.embed(["", "a"])
    edits = [sample(model, noise, text, 2, guidance) for guidance in (1.0, 7.5)]
    edits.append(edit_by_difference(model, latents, "a", "a a", 3, 2.0))
    for edited in edits:
        assert edited.device.type == "meta" and edited.shape == latents.shape
    video = decode(model.vae, edits[-1])
    assert video.shape == frames.shape
    assert scores(clip, model.tokenizer, video, "a") == (0.0, 0.0)

"""The benchmark's methods: each edits, and at its limits becomes what it is made of."""

from dataclasses import replace

import pytest
import tiny
import torch

from tav.inflation import VideoTransformerBlock
from tav.io.weights import load
from tav.vae import decode
from weights.benchmark.clips import make_clip
from weights.benchmark.job import Job, Settings
from weights.benchmark.methods import METHODS, keep
from weights.benchmark.methods.difference import Difference
from weights.benchmark.methods.tune_a_video import TuneAVideo
from weights.benchmark.variants import PlainAttention

SETTINGS = Settings(frames=2, tune_steps=2, steps=4, lr=1e-2)
CAPTION = TuneAVideo("inverted with the caption", start="caption")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return replace(load(tiny.folder(tmp_path_factory.mktemp("tiny"))), size=32)


@pytest.fixture
def job(model, tmp_path):
    return Job(model, make_clip(12, SETTINGS.frames), SETTINGS, tmp_path)


def same(a: dict, b: dict, tolerance: float = 1e-5) -> bool:
    return a.keys() == b.keys() and all(torch.allclose(a[k], b[k], atol=tolerance) for k in a)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_edits_and_leaves_the_model_alone(name, job):
    before = {key: value.clone() for key, value in job.model.unet.state_dict().items()}
    job.prompts = dict(list(job.prompts.items())[:2])  # of six edits
    videos = METHODS[name](job)
    assert list(videos) == list(job.prompts)
    for video in videos.values():
        assert video.shape == (2, 3, 32, 32) and video.isfinite().all() and video.abs().max() <= 1
    assert same(METHODS[name](job), videos)  # now with the tuned network that was kept
    after = job.model.unet.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(after[k], before[k]) for k in after)


def test_a_tuned_network_is_kept_with_its_seconds(job):
    first = job.tuned().unet.state_dict()
    assert job.saved == 0 and len(list(job.store.iterdir())) == 1
    again = job.tuned().unet.state_dict()
    assert job.saved > 0 and all(torch.equal(first[key], again[key]) for key in first)
    assert any(
        not torch.equal(first[k], job.model.unet.state_dict().get(k))
        for k in first
        if "attn1.to_q" in k
    )
    plain = job.tuned(spatial=PlainAttention, temporal=None)
    assert len(list(job.store.iterdir())) == 2
    blocks = [m for m in plain.unet.modules() if isinstance(m, VideoTransformerBlock)]
    assert blocks and all(type(b.attn1) is PlainAttention and not b.attn_temp for b in blocks)


def test_kept_everywhere_is_the_source_and_nowhere_is_the_caption_method(job, monkeypatch):
    def masked(value: float) -> dict:
        mask = torch.full((len(job.prompts) * len(job.frames), 1, 1, 1), value)
        monkeypatch.setattr(keep, "true_mask", lambda job: mask)
        return keep.Keep("")(job)

    through = decode(job.model.vae, job.latents)
    assert same(masked(0.0), dict.fromkeys(job.prompts, through))
    assert same(masked(1.0), CAPTION(job), 1e-4)


def test_the_true_mask_is_where_the_ideal_differs(job):
    masks = dict(zip(job.prompts, keep.true_mask(job).unflatten(0, (-1, 2)), strict=True))
    assert masks["subject"].shape == (2, 1, 16, 16)
    assert 0 < masks["color"].mean() < masks["subject"].mean() < masks["two"].mean()


def test_no_difference_moves_nothing(job):
    job.prompts = {"same": job.caption, "other": "a cat"}
    unmoved = decode(job.model.vae, job.latents)
    job.settings = replace(SETTINGS, guidance=1.0)
    videos = Difference("")(job)
    rounding, moved = ((videos[key] - unmoved).abs().max() for key in ("same", "other"))
    assert rounding < moved / 1000 and moved > 1e-3

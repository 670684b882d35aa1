"""The benchmark's methods: each edits, and at its limits becomes what it is made of."""

from dataclasses import replace

import pytest
import tiny
import torch

from tav.inflation import VideoTransformerBlock
from tav.io.weights import load
from tav.layers import Attention
from tav.sampling import invert, predict, sample
from tav.vae import decode
from weights.benchmark.clips import make_clip
from weights.benchmark.job import Job, Settings
from weights.benchmark.methods import METHODS
from weights.benchmark.methods.cfg_plus import CFGPlus
from weights.benchmark.methods.difference import Difference
from weights.benchmark.methods.fixed_point import FixedPoint
from weights.benchmark.methods.keep import Keep, true_mask
from weights.benchmark.methods.source_attention import SourceAttention
from weights.benchmark.methods.tune_a_video import TuneAVideo

STEPS = 4
SETTINGS = Settings(frames=2, tune_steps=2, steps=STEPS, lr=1e-2)
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
    videos = METHODS[name](job)
    assert list(videos) == list(job.clip.edits)
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
    plain = job.tuned(spatial=Attention, temporal=None)
    assert len(list(job.store.iterdir())) == 2
    blocks = [m for m in plain.unet.modules() if isinstance(m, VideoTransformerBlock)]
    assert blocks and all(type(b.attn1) is Attention and not b.attn_temp for b in blocks)


def test_kept_everywhere_is_the_source_and_nowhere_is_the_caption_method(job):
    through = decode(job.model.vae, job.latents)
    for video in Keep("", threshold=float("inf"))(job).values():
        assert torch.allclose(video, through, atol=1e-5)
    assert same(Keep("", threshold=-1.0)(job), CAPTION(job), 1e-4)
    assert same(Keep("", threshold=float("inf"), until=0.0)(job), CAPTION(job), 1e-4)


def test_the_true_mask_is_where_the_ideal_differs(job):
    masks = dict(zip(job.prompts, true_mask(job).unflatten(0, (-1, 2)), strict=True))
    assert masks["subject"].shape == (2, 1, 16, 16)
    assert 0 < masks["color"].mean() < masks["subject"].mean() < masks["two"].mean()


def test_no_difference_moves_nothing(job):
    job.prompts = {"same": job.caption, "other": "a cat"}
    unmoved = decode(job.model.vae, job.latents)
    videos = Difference("", guidance=1.0)(job)
    rounding, moved = ((videos[key] - unmoved).abs().max() for key in ("same", "other"))
    assert rounding < moved / 1000 and moved > 1e-3
    assert not same(Difference("", steps=2 * STEPS)(job), Difference("")(job), 1e-3)


def test_cfg_plus_without_the_prompt_is_sampling_without_it(job):
    model = job.tuned()
    noise = invert(model, job.latents, STEPS)
    plain = decode(job.model.vae, sample(model, noise, model.embed(["", ""]), STEPS, 1))
    for video in CFGPlus("", share=0.0)(job).values():
        assert torch.allclose(video, plain, atol=1e-4)


def test_more_rounds_invert_more_exactly(job):
    model = job.tuned()
    assert same(FixedPoint("", rounds=0)(job), CAPTION(job), 1e-4)
    text, errors = model.embed([job.caption] * 2), []
    for rounds in (0, 1, 3):
        noise = FixedPoint("", rounds).inverted(job, model)
        back = sample(model, noise, text, STEPS, 1)
        errors.append((back - job.latents).norm().item())
    assert errors[2] < errors[1] < errors[0]


def test_source_attention_is_used_in_its_share_of_the_steps(job):
    assert same(SourceAttention("", share=0.0)(job), CAPTION(job), 1e-4)
    assert not same(SourceAttention("", share=1.0)(job), CAPTION(job), 1e-2)
    # Nothing of it is left in the network.
    model = job.tuned()
    x, text = job.latents.repeat(2, 1, 1, 1), model.embed(["a cat", "a dog"])
    SourceAttention("")(job)
    assert torch.equal(predict(model, x, 500, text), predict(job.tuned(), x, 500, text))

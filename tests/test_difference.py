"""Editing by difference: what moves, what stays, and by how much."""

from dataclasses import replace

import pytest
import tiny
import torch

import tav
from tav.difference import attending_as_first, edit_by_difference
from tav.inflation import SparseCausalAttention, first_and_previous
from tav.layers import Attention, attend
from tav.model import Unsuitable
from tav.schedule import Schedule
from tav.unet import UNet2DConditionModel

TEXTS = ["a man", "snow", "a panda"]  # caption, negative prompt, prompt
LATENTS = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The tiny model, inflated."""
    model = tav.load(tiny.folder(tmp_path_factory.mktemp("weights")))
    torch.manual_seed(0)
    for name, parameter in tav.inflate(model.unet).requires_grad_(False).named_parameters():
        if "attn_temp.to_out" in name:
            parameter.normal_(std=0.1)  # as if tuned: frames see each other
    return model


@pytest.fixture(params=["epsilon", "v_prediction"])
def model(base, request):
    return replace(base, schedule=Schedule(prediction_type=request.param))


def with_answers(model, answer):
    """The model with a UNet that answers `answer(x, t, text, frames)`."""
    unet = torch.nn.Module()
    unet.conv_in, unet.forward = model.unet.conv_in, answer  # conv_in tells device and dtype
    return replace(model, unet=unet)


def edit(model, steps: int, guidance: float, prompt: str = "a panda", **more) -> torch.Tensor:
    """The edit of LATENTS, which show "a man", with the negative prompt "snow"."""
    how = {"negative": "snow"} | more
    return edit_by_difference(model, LATENTS, "a man", prompt, steps, guidance, **how)


def noise_said(x, t, text, frames):
    """A prediction for each video that depends on nothing but its text."""
    return text.mean(dim=(1, 2)).repeat_interleave(frames)[:, None, None, None].expand_as(x)


def test_the_caption_moves_nothing_and_a_prompt_does(model):
    for guidance in (1, 3):
        assert torch.allclose(edit(model, 10, guidance, "a man"), LATENTS, atol=1e-5)
        assert not torch.allclose(edit(model, 10, guidance), LATENTS, atol=1e-3)
    # The negative prompt cancels out at guidance 1, and not at 2.
    for guidance, cancels in ((1, True), (2, False)):
        snow, rain = (edit(model, 10, guidance, negative=word) for word in ("snow", "rain"))
        assert torch.allclose(snow, rain, atol=1e-4) == cancels


@pytest.mark.parametrize("taken", [1.0, 0.5])
def test_it_moves_by_the_difference_times_the_fall_of_the_noise_level(base, taken):
    caption, _, prompt = base.embed(TEXTS).mean(dim=(1, 2))
    moved = edit(with_answers(base, noise_said), 10, 1.0, taken=taken, attended=0)
    start, _ = base.schedule.steps(10)[round((1 - taken) * 10)]
    fall = base.schedule.sigma(-99) - base.schedule.sigma(start)  # any t below 0 is the end
    assert torch.allclose(moved, LATENTS + fall * (prompt - caption), atol=1e-4)


def test_guidance_counts_where_the_predictions_differ(base):
    """Caption 0, negative -1; the prompt differs in a corner, by 1, and a little everywhere."""
    said = torch.zeros(6, 4, 8, 8)
    said[2:4], said[4:] = -1, 0.03
    said[4:, :, 0, 0] = 1
    moved = edit(with_answers(base, lambda *_: said), 10, 3.0, taken=0.1, attended=0)
    move = (moved - LATENTS) / (base.schedule.sigma(-99) - base.schedule.sigma(1))
    m = 0.0009 * torch.ones(8, 8)
    m[0] *= 2 / 3  # beyond the edge there is nothing
    m[-1] *= 2 / 3
    m[:, 0] *= 2 / 3
    m[:, -1] *= 2 / 3
    m[:2, :2] += (1 - 0.0009) / 9
    weights = (m / (2 * m.mean())).clamp(max=4)
    assert weights.max() == 4 > weights.median()
    guided = said[4] + 2 * weights * (said[4] + 1)
    assert torch.allclose(move[0], guided, atol=1e-3)


def test_guidance_does_not_take_rounding_for_a_difference(base):
    """Caption 0, negative -1; the prompt differs by a rounding error, as on some CPUs."""
    said = torch.zeros(6, 4, 8, 8)
    said[2:4], said[4:] = -1, 1e-6
    moved = edit(with_answers(base, lambda *_: said), 10, 8.0, attended=0)
    assert torch.allclose(moved, LATENTS, atol=1e-3)


def test_sigma_is_the_noise_in_latents_scaled_to_x0(base):
    schedule, noise = base.schedule, torch.randn(2, 4, 8, 8)
    for t in (1, 500, 981):
        y = schedule.add_noise(LATENTS, noise, t) / schedule.alphas_cumprod[t].sqrt()
        assert torch.allclose(y, LATENTS + schedule.sigma(t) * noise, atol=1e-5)


def test_noise_said_as_v_is_the_same_edit(base):
    schedule = Schedule(prediction_type="v_prediction")

    def v_said(x, t, text, frames):
        noise = noise_said(x, t, text, frames)
        a = schedule.alphas_cumprod[int(t[0])]
        return a.sqrt() * noise - (1 - a).sqrt() * (x - (1 - a).sqrt() * noise) / a.sqrt()

    of_noise = edit(with_answers(base, noise_said), 10, 2.0, attended=0)
    of_v = edit(with_answers(replace(base, schedule=schedule), v_said), 10, 2.0, attended=0)
    assert torch.allclose(of_noise, of_v, atol=1e-3)


def test_clip_and_edit_get_the_same_noise_a_new_one_in_each_step(base):
    asked = []

    def answer(x, t, text, frames):
        asked.append((int(t[0]), x.chunk(3)))
        return torch.zeros_like(x)  # nobody sees noise: nothing moves

    for seed in (0, 0, 1):
        z = edit(with_answers(base, answer), 4, 2, seed=seed, attended=0)
        assert torch.equal(z, LATENTS)
    assert [t for t, _ in asked] == [751, 501, 251, 1] * 3
    assert all(torch.equal(videos[0], video) for _, videos in asked for video in videos)

    def noise(i):
        t, (clip, *_) = asked[i]
        return (clip / base.schedule.alphas_cumprod[t].sqrt() - LATENTS) / base.schedule.sigma(t)

    assert torch.allclose(noise(0), noise(4), atol=1e-4)
    assert not torch.allclose(noise(0), noise(1), atol=0.1)
    assert not torch.allclose(noise(0), noise(8), atol=0.1)


def test_all_attend_as_the_first_and_only_within(base):
    attentions = [m for m in base.unet.modules() if isinstance(m, SparseCausalAttention)]
    attention = attentions[0]
    x = torch.randn(6, 5, attention.to_q.in_features)  # three videos of two frames
    before = attention(x, 2)
    with attending_as_first(base, 2):
        within = attention(x, 2)
    q, k = attention.to_q(x[:2]), first_and_previous(attention.to_k(x[:2]), 2)
    for video in range(3):
        own = slice(2 * video, 2 * video + 2)
        v = first_and_previous(attention.to_v(x[own]), 2)
        expected = attention.to_out[0](attend(q, k, v, attention.heads))
        assert torch.allclose(within[own], expected, atol=1e-5)
    assert not torch.allclose(within[2:], before[2:], atol=1e-3)
    assert torch.equal(attention(x, 2), before)
    with pytest.raises(ZeroDivisionError), attending_as_first(base, 2):
        1 / 0
    assert torch.equal(attention(x, 2), before)


def test_a_unet_without_sc_attn_cannot_attend_as_the_clip_does(base):
    """An error, and not a step in which nothing attends: unless no step is to."""
    unet = UNet2DConditionModel([32], 1, heads=[2], attentive=[True], cross_attention_dim=64)
    plain = replace(base, unet=tav.inflate(unet, spatial=Attention))
    with pytest.raises(Unsuitable, match="no SC-Attn"):
        edit(plain, 4, 2)
    assert edit(plain, 4, 2, attended=0).isfinite().all()


def test_the_clip_decides_where_patches_look_in_a_share_of_the_steps(base):
    attention = next(m for m in base.unet.modules() if isinstance(m, SparseCausalAttention))
    seen = []
    hook = attention.register_forward_hook(
        lambda *_: seen.append(bool(attention.to_q._forward_hooks))
    )
    try:
        edit(base, 10, 2, "a bear", taken=0.5, attended=0.6)
    finally:
        hook.remove()
    assert seen == [True, True, True, False, False]

"""Editing by difference: what moves, what stays, and by how much."""

from dataclasses import replace

import pytest
import tiny
import torch

import tav
from tav.difference import attending_as_first, edit_by_difference
from tav.inflation import SparseCausalAttention, first_and_previous
from tav.layers import attend
from tav.schedule import Schedule

PANDA, BEAR = ["a man", "snow", "a panda"], ["a man", "snow", "a bear"]
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
    unet.forward = answer
    return replace(model, unet=unet)


def noise_said(x, t, text, frames):
    """A prediction for each video that depends on nothing but its text."""
    return text.mean(dim=(1, 2)).repeat_interleave(frames)[:, None, None, None].expand_as(x)


def test_the_caption_moves_nothing_and_a_prompt_does(model):
    def edited(negative: str, prompt: str, guidance: float) -> torch.Tensor:
        return edit_by_difference(
            model, LATENTS, model.embed(["a man", negative, prompt]), 10, guidance
        )

    for guidance in (1, 3):
        assert torch.allclose(edited("snow", "a man", guidance), LATENTS, atol=1e-5)
        assert not torch.allclose(edited("snow", "a panda", guidance), LATENTS, atol=1e-3)
    # The negative prompt cancels out at guidance 1, and not at 2.
    for guidance, cancels in ((1, True), (2, False)):
        snow, rain = (edited(negative, "a panda", guidance) for negative in ("snow", "rain"))
        assert torch.allclose(snow, rain, atol=1e-4) == cancels


@pytest.mark.parametrize("taken", [1.0, 0.5])
def test_it_moves_by_the_difference_times_the_fall_of_the_noise_level(base, taken):
    text = base.embed(PANDA)
    caption, _, prompt = text.mean(dim=(1, 2))
    moved = edit_by_difference(
        with_answers(base, noise_said), LATENTS, text, 10, 1.0, taken=taken, attended=0
    )
    start = base.schedule.timesteps(10)[round((1 - taken) * 10)]
    fall = base.schedule.sigma(-99) - base.schedule.sigma(start)  # any t below 0 is the end
    assert torch.allclose(moved, LATENTS + fall * (prompt - caption), atol=1e-4)


def test_guidance_counts_where_the_predictions_differ(base):
    """Caption 0, negative -1; the prompt differs in a corner, by 1, and a little everywhere."""
    said = torch.zeros(6, 4, 8, 8)
    said[2:4], said[4:] = -1, 0.03
    said[4:, :, 0, 0] = 1
    text = base.embed(PANDA)
    moved = edit_by_difference(
        with_answers(base, lambda *_, frames: said), LATENTS, text, 10, 3.0, taken=0.1, attended=0
    )
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
    answers = with_answers(base, lambda *_, frames: said)
    moved = edit_by_difference(answers, LATENTS, base.embed(PANDA), 10, 8.0, attended=0)
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

    text = base.embed(PANDA)
    of_noise = edit_by_difference(
        with_answers(base, noise_said), LATENTS, text, 10, 2.0, attended=0
    )
    of_v = edit_by_difference(
        with_answers(replace(base, schedule=schedule), v_said), LATENTS, text, 10, 2.0, attended=0
    )
    assert torch.allclose(of_noise, of_v, atol=1e-3)


def test_clip_and_edit_get_the_same_noise_a_new_one_in_each_step(base):
    asked = []

    def answer(x, t, text, frames):
        asked.append((int(t[0]), x.chunk(3)))
        return torch.zeros_like(x)  # nobody sees noise: nothing moves

    text = base.embed(PANDA)
    for seed in (0, 0, 1):
        z = edit_by_difference(with_answers(base, answer), LATENTS, text, 4, 2, seed, attended=0)
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
    with attending_as_first(base, 3):
        within = attention(x, 2)
    q, k = attention.to_q(x[:2]), first_and_previous(attention.to_k(x[:2]), 2)
    for video in range(3):
        own = slice(2 * video, 2 * video + 2)
        v = first_and_previous(attention.to_v(x[own]), 2)
        expected = attention.to_out[0](attend(q, k, v, attention.heads))
        assert torch.allclose(within[own], expected, atol=1e-5)
    assert not torch.allclose(within[2:], before[2:], atol=1e-3)
    assert torch.equal(attention(x, 2), before)
    with pytest.raises(ZeroDivisionError), attending_as_first(base, 3):
        1 / 0
    assert not any(a.to_q._forward_hooks or a.to_k._forward_hooks for a in attentions)


def test_the_clip_decides_where_patches_look_in_a_share_of_the_steps(base):
    attention = next(m for m in base.unet.modules() if isinstance(m, SparseCausalAttention))
    hooked = []
    counter = attention.register_forward_hook(
        lambda *_: hooked.append(len(attention.to_q._forward_hooks))
    )
    try:
        edit_by_difference(base, LATENTS, base.embed(BEAR), 10, 2, taken=0.5, attended=0.6)
    finally:
        counter.remove()
    assert hooked == [1, 1, 1, 0, 0]

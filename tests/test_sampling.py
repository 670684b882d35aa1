"""Sampling: inversion and sampling undo each other, guidance, and what an inversion depends on."""

from dataclasses import replace

import pytest
import tiny
import torch

import tav
from tav.sampling import invert, sample
from tav.schedule import Schedule
from tav.unet import UNet2DConditionModel


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The tiny model with a video UNet of one resolution, for speed."""
    model = tav.load(tiny.folder(tmp_path_factory.mktemp("weights")))
    torch.manual_seed(0)
    model.unet = UNet2DConditionModel([32], 1, heads=[2], attentive=[True], cross_attention_dim=64)
    for name, parameter in tav.inflate(model.unet).requires_grad_(False).named_parameters():
        if "attn_temp.to_out" in name:
            parameter.normal_(std=0.1)  # as if tuned: frames see each other
    return model


def with_answers(model, answer):
    """The model with a UNet that answers `answer(x, t, text, frames)`."""
    unet = torch.nn.Module()
    unet.conv_in, unet.forward = model.unet.conv_in, answer  # conv_in tells device and dtype
    return replace(model, unet=unet)


@pytest.fixture(params=["epsilon", "v_prediction"])
def model(base, request):
    return replace(base, schedule=Schedule(prediction_type=request.param))


LATENTS = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))


def test_inverting_and_sampling_without_guidance_returns_the_latents_the_better_the_more_steps(
    model,
):
    errors = []
    for steps in (10, 50, 200):
        noise = invert(model, LATENTS, steps)
        back = sample(model, noise, model.embed(["a panda", ""]), steps, guidance=1)
        errors.append(((back - LATENTS).norm() / LATENTS.norm()).item())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < (0.5 if model.schedule.prediction_type == "epsilon" else 0.002), errors


def test_guidance_1_is_the_prompt_alone_and_0_the_negative(model):
    texts = model.embed(["a dog", "a panda"])
    panda = sample(model, LATENTS, texts, 5, 1)
    assert torch.equal(panda, sample(model, LATENTS, model.embed(["a cat", "a panda"]), 5, 1))
    assert torch.allclose(
        sample(model, LATENTS, texts, 5, 0), sample(model, LATENTS, texts.flip(0), 5, 1), atol=1e-4
    )
    # equal texts: no guidance
    assert torch.allclose(sample(model, LATENTS, texts[[1, 1]], 5, 7.5), panda, atol=1e-3)
    assert not torch.allclose(sample(model, LATENTS, texts, 5, 7.5), panda, atol=1e-3)


def test_guidance_is_linear_in_each_prediction(base):
    answers = torch.tensor([0.25, -0.5])  # to the negative prompt and to the prompt

    def answer(x, t, text, frames):
        assert x.shape == (4, 4, 4, 4) and t.tolist() == [1, 1] and frames == 2
        assert torch.equal(x[:2], x[2:])
        return answers.repeat_interleave(frames).view(-1, 1, 1, 1).expand_as(x)

    guided = sample(with_answers(base, answer), LATENTS, base.embed(["", "a panda"]), 1, 3.0)
    alone = base.schedule.ddim_step(
        torch.full_like(LATENTS, 0.25 + 3.0 * (-0.5 - 0.25)), LATENTS, 1, -999
    )
    assert torch.allclose(guided, alone, atol=1e-6)


@pytest.mark.parametrize("guidance", [1, 7.5])
def test_two_videos_at_once_are_those_of_one_at_a_time(base, guidance):
    noises = [LATENTS, LATENTS.flip(1)]
    texts = base.embed(["snow", "rain", "a panda", "a dog"])
    both = sample(base, torch.cat(noises), texts, 3, guidance).chunk(2)
    for i, noise in enumerate(noises):
        assert torch.allclose(
            both[i], sample(base, noise, texts[[i, 2 + i]], 3, guidance), atol=1e-5
        )


@pytest.mark.parametrize("more", [{}, {"caption": "a panda"}])
def test_inversion_asks_at_the_timestep_it_goes_to_with_the_empty_prompt_or_a_caption(more, base):
    asked, seen = [], []

    def answer(x, t, text, frames):
        asked.append((t.item(), torch.equal(text, base.embed(more.get("caption", "")))))
        seen.append(x)
        return torch.zeros_like(x)

    noise = invert(with_answers(base, answer), LATENTS, 4, **more)
    assert asked == [(1, True), (251, True), (501, True), (751, True)]
    # no noise predicted: latents only shrink, from level 0 to level 751
    levels = base.schedule.alphas_cumprod
    assert torch.allclose(noise, LATENTS * (levels[751] / levels[0]).sqrt(), atol=1e-6)
    # what it passes on the way: the latents at each level that is left
    assert torch.equal(seen[0], LATENTS)
    for t, x in zip((1, 251, 501), seen[1:], strict=True):
        assert torch.allclose(x, LATENTS * (levels[t] / levels[0]).sqrt(), atol=1e-6)

"""Image UNet: predictions equal diffusers', and the traps of heads, time, epsilon and padding."""

import golden
import pytest
import torch
from torch import nn

from tav import unet as unet_module
from tav.io.weights import fill
from tav.layers import Downsample2D
from tav.unet import Transformer2DModel, UNet2DConditionModel, timestep_embedding

VARIANTS = ["unet_sd1", "unet_sd2"]


def unet(name: str, **changes) -> UNet2DConditionModel:
    model = UNet2DConditionModel(**golden.sizes(name) | changes)
    fill(model, golden.read(name)[0].items(), "cpu", torch.float32, name)  # strict
    return model


def error(model: UNet2DConditionModel, name: str) -> float:
    _, inputs, expected = golden.read(name)
    return (
        (model(inputs["x"], inputs["t"], inputs["text"]) - expected["prediction"])
        .abs()
        .max()
        .item()
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_prediction_equals_diffusers(name):
    assert error(unet(name), name) <= 1e-5


def test_attention_head_dim_is_a_number_of_heads():
    """It is 4 and [2, 4, 4] in the goldens; read as widths of a head, all is wrong."""
    assert error(unet("unet_sd1", heads=[8 // 4, 16 // 4, 16 // 4]), "unet_sd1") > 1e-3
    assert error(unet("unet_sd2", heads=[8 // 2, 16 // 4, 16 // 4]), "unet_sd2") > 1e-3


def test_cosines_come_first():
    assert timestep_embedding(torch.tensor([0]), 6).tolist() == [[1, 1, 1, 0, 0, 0]]
    k = torch.arange(4, dtype=torch.float64)
    angles = 981 * 10000 ** (-k / 4)  # the exponent divides by half the width, not by half less one
    got = timestep_embedding(torch.tensor([981]), 8)[0].double()
    assert torch.allclose(got, torch.cat([angles.cos(), angles.sin()]), atol=1e-4)


def test_sines_first_would_show(monkeypatch):
    monkeypatch.setattr(
        unet_module,
        "timestep_embedding",
        lambda t, dim: timestep_embedding(t, dim).roll(dim // 2, 1),
    )
    assert error(unet("unet_sd1"), "unet_sd1") > 1e-3


@pytest.mark.parametrize("name", VARIANTS)
def test_epsilons(name):
    model = unet(name)
    in_transformers = [m.norm for m in model.modules() if isinstance(m, Transformer2DModel)]
    assert len(in_transformers) == 2 * 2 + 1 + 2 * 3
    assert {norm.eps for norm in in_transformers} == {1e-6}
    others = {m for m in model.modules() if isinstance(m, nn.GroupNorm)} - set(in_transformers)
    assert len(others) == 2 * (6 + 2 + 9) + 1
    assert {norm.eps for norm in others} == {1e-5}
    assert {m.eps for m in model.modules() if isinstance(m, nn.LayerNorm)} == {1e-5}


def test_downsampling_pads_all_sides():
    down = Downsample2D(1, padding=1)
    nn.init.ones_(down.conv.weight)
    nn.init.zeros_(down.conv.bias)
    assert down(torch.ones(1, 1, 4, 4))[0, 0].tolist() == [[4, 6], [6, 9]]
    assert [
        d.conv.padding for block in unet("unet_sd1").down_blocks for d in block.downsamplers
    ] == [(1, 1)] * 2


def test_where_transformers_are():
    model = unet("unet_sd1")
    assert [len(block.attentions) for block in model.down_blocks] == [2, 2, 0]
    assert [len(block.attentions) for block in model.up_blocks] == [0, 3, 3]
    assert len(model.mid_block.attentions) == 1


def test_a_still_video_is_its_picture():
    """Frames fold into the batch, b first: each prompt and timestep goes to its own f rows."""
    _, inputs, expected = golden.read("unet_sd1")
    video = inputs["x"].repeat_interleave(3, dim=0)
    got = unet("unet_sd1")(video, inputs["t"], inputs["text"], frames=3)
    assert (got - expected["prediction"].repeat_interleave(3, dim=0)).abs().max() <= 1e-5


def test_group_norms_pool_over_frames():
    """With two different frames the statistics are shared, so a frame depends on the other one."""
    _, inputs, _ = golden.read("unet_sd1")
    model, text, t = unet("unet_sd1"), inputs["text"][:1], inputs["t"][:1]
    video = inputs["x"].clone()
    before = model(video, t, text, frames=2)
    video[1] = video[1] * 2
    assert (model(video, t, text, frames=2)[0] - before[0]).abs().max() > 1e-3

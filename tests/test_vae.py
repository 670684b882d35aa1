"""VAE: latents and pictures equal diffusers', and the traps of epsilon, padding and scale."""

import golden
import pytest
import torch
from torch import nn

from tav import vae as vae_module
from tav.layers import Downsample2D
from tav.vae import AutoencoderKL, Posterior, decode, encode, from_bytes, to_uint8

WEIGHTS, INPUTS, EXPECTED = golden.read("vae")


@pytest.fixture
def vae():
    model = AutoencoderKL(**golden.sizes("vae"))
    model.load_state_dict(WEIGHTS)  # strict
    return model.eval().requires_grad_(False)


def worst(got: torch.Tensor, name: str) -> float:
    return (got - EXPECTED[name]).abs().max().item()


def test_encode_equals_diffusers(vae):
    posterior = vae.encode(INPUTS["frames"])
    assert worst(posterior.mean, "mean") <= 1e-5
    assert worst(posterior.std, "std") <= 1e-5


def test_decode_equals_diffusers(vae):
    assert worst(vae.decode(INPUTS["latents"]), "decoded") <= 1e-5


def test_attention_equals_diffusers(vae):
    assert worst(vae.encoder.mid_block.attentions[0](INPUTS["features"]), "attention") <= 1e-5


def test_channels_last_changes_nothing(vae):
    vae = vae.to(memory_format=torch.channels_last)
    frames = INPUTS["frames"].contiguous(memory_format=torch.channels_last)
    assert worst(vae.encode(frames).mean, "mean") <= 1e-5
    assert worst(vae.decode(INPUTS["latents"]), "decoded") <= 1e-5


def test_every_norm_has_eps_1e6_and_1e5_would_show(vae):
    norms = [m for m in vae.modules() if isinstance(m, nn.GroupNorm)]
    encoder, decoder = 2 * 3 * 2, 2 * 3 * 3  # two in each ResNet block; three stages of 2, and of 3
    # and the middles, their attention, the ends
    assert len(norms) == encoder + decoder + 2 * (2 * 2 + 1 + 1)
    assert {norm.eps for norm in norms} == {1e-6}
    for norm in norms:
        norm.eps = 1e-5
    assert worst(vae.encode(INPUTS["frames"]).mean, "mean") > 1e-4


def test_downsampling_pads_right_and_bottom():
    """Under a kernel of ones, a picture of ones shows how many pixels each window holds."""
    down = Downsample2D(1, padding=0)
    nn.init.ones_(down.conv.weight)
    nn.init.zeros_(down.conv.bias)
    assert down(torch.ones(1, 1, 4, 4))[0, 0].tolist() == [[9, 6], [6, 4]]


def test_the_vae_downsamples_that_way(vae):
    paddings = [
        d.conv.padding for block in vae.encoder.down_blocks[:-1] for d in block.downsamplers
    ]
    assert paddings == [(0, 0), (0, 0)]


def test_latents_are_scaled_and_decode_undoes_it(vae):
    scaled, decoded = vae.encode(INPUTS["frames"]), vae.decode(INPUTS["latents"])
    vae.scaling_factor = 1.0
    plain = vae.encode(INPUTS["frames"])
    assert torch.allclose(scaled.mean, 0.18215 * plain.mean, atol=1e-6)
    assert torch.allclose(scaled.std, 0.18215 * plain.std, atol=1e-6)
    assert torch.allclose(decoded, vae.decode(INPUTS["latents"] / 0.18215), atol=1e-5)


def test_samples_have_the_posteriors_mean_and_std():
    posterior = Posterior(torch.full((1, 4, 100, 100), 3.0), torch.full((1, 4, 100, 100), 0.5))
    sample = posterior.sample(torch.Generator().manual_seed(0))
    assert sample.mean().item() == pytest.approx(3.0, abs=0.02)
    assert sample.std().item() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(sample, posterior.sample(torch.Generator().manual_seed(0)))
    assert not torch.equal(sample, posterior.sample(torch.Generator().manual_seed(1)))


def test_pixels_are_bytes_or_values_from_minus_1_to_1():
    every = torch.arange(256).byte().view(1, 1, 16, 16).expand(1, 3, 16, 16)
    values = from_bytes(every)
    assert values[0, 0, [0, -1], [0, -1]].tolist() == [-1, 1] and values.dtype == torch.float32
    assert torch.equal(torch.from_numpy(to_uint8(values)), every.permute(0, 2, 3, 1))
    outside = torch.tensor([-7.0, 0.0, 0.5 / 127.5, 7.0]).view(1, 1, 1, 4)
    assert to_uint8(outside).tolist() == [[[[0], [128], [128], [255]]]]
    frames = torch.rand(2, 3, 4, 5) * 2 - 1
    assert to_uint8(frames).shape == (2, 4, 5, 3)


def test_sizes(vae):
    assert vae.factor == 4
    assert vae.encode(torch.zeros(1, 3, 16, 24)).mean.shape == (1, 4, 4, 6)
    assert vae.decode(torch.zeros(1, 4, 4, 6)).shape == (1, 3, 16, 24)


def test_frames_are_taken_a_few_at_a_time_and_none_is_lost(vae, monkeypatch):
    torch.manual_seed(0)
    frames = torch.rand(5, 3, 16, 16) * 2 - 1
    whole = encode(vae, frames)
    seen = []

    def count(batches):
        seen.extend(len(batch) for batch in batches)
        return batches

    monkeypatch.setattr(vae_module, "PIXELS_AT_ONCE", 2 * 16 * 16)
    parts = encode(vae, frames, count)
    assert seen == [2, 2, 1]
    assert torch.allclose(parts.mean, whole.mean, atol=1e-5)
    assert torch.allclose(decode(vae, parts.mean), decode(vae, whole.mean), atol=1e-4)
    monkeypatch.setattr(vae_module, "PIXELS_AT_ONCE", 1)  # a frame larger than that is taken alone
    seen.clear()
    encode(vae, frames, count)
    assert seen == [1] * 5

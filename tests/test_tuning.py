"""Tuning: what it changes and what it leaves alone, and that a step depends on its state and
nothing else."""

from copy import deepcopy
from dataclasses import replace

import pytest
import tiny
import torch

import tav
from tav.inflation import TemporalAttention, inflate
from tav.io.weights import load_tuned
from tav.model import PUBLISHED, Unsuitable
from tav.tuning import Tuning, encode_clip, use_checkpointing
from tav.vae import Posterior


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A function that gives the tiny model, each time with an image UNet of its own."""
    weights, loaded = tiny.folder(tmp_path_factory.mktemp("weights")), {}

    def fresh(dtype: torch.dtype = torch.float32):
        if dtype not in loaded:
            loaded[dtype] = tav.load(weights, dtype=dtype)
        return replace(loaded[dtype], unet=deepcopy(loaded[dtype].unet))

    return fresh


@pytest.fixture
def model(fresh):
    return fresh()


def clip(f: int = 2, h: int = 16, w: int = 16) -> torch.Tensor:
    return torch.rand(f, 3, h, w, generator=torch.Generator().manual_seed(1)) * 2 - 1


def tuning(model, lr: float = 1e-3, seed: int = 0, checkpointing: bool = False) -> Tuning:
    posterior = encode_clip(model, clip())
    return Tuning(model, posterior, model.embed("a man is skiing"), lr, seed, checkpointing)


def steps(of: Tuning, n: int) -> Tuning:
    for _ in range(n):
        of.update(of.loss())
    return of


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# ---- what changes


def test_exactly_the_published_tensors_change(model):
    torch.manual_seed(0)
    inflate(model.unet)
    parts = (model.unet, model.vae, model.text_encoder)
    before = [
        {name: tensor.clone() for name, tensor in part.state_dict().items()} for part in parts
    ]
    steps(tuning(model), 2)
    changed = {
        n
        for part, old in zip(parts, before)
        for n, t in part.state_dict().items()
        if not torch.equal(t, old[n])
    }
    queries = {
        name for name in before[0] if name.endswith(("attn1.to_q.weight", "attn2.to_q.weight"))
    }
    temporal = {name for name in before[0] if ".attn_temp." in name}
    assert changed == queries | temporal
    assert len(queries) == 2 * len(temporal) / 5 > 0


def test_the_loss_falls_on_one_clip(model):
    losses = tav.tune(model, clip(), "a man is skiing", steps=40, lr=1e-2)
    assert sum(losses[-10:]) < 0.95 * sum(losses[:10])


def test_tuned_weights_are_those_of_the_unet_and_can_be_put_into_another(model, fresh):
    done = steps(tuning(model), 2)
    other = fresh().unet
    load_tuned(other, done.tuned(), "run")
    assert same(other.state_dict(), model.unet.state_dict())
    assert not any(p.requires_grad for p in other.parameters())


def test_tuned_weights_of_another_model_are_refused(model):
    tuned = steps(tuning(model), 1).tuned()
    del tuned[next(iter(tuned))]
    with pytest.raises(Unsuitable, match="there: tuned for other weights"):
        load_tuned(model.unet, tuned, "there")


# ---- the state


def test_a_restored_state_continues_to_the_same_bits(model, fresh):
    whole = steps(tuning(model), 5)
    half = steps(tuning(fresh()), 2).state()
    rest = tuning(fresh())
    torch.manual_seed(99)  # nothing depends on the global generator
    rest.restore({name: tensor.clone() for name, tensor in half.items()})
    assert same(steps(rest, 3).state(), whole.state())


def test_a_state_from_before_the_first_update_can_be_restored(model, fresh):
    first = tuning(model)
    first.loss()
    rest = tuning(fresh())
    rest.restore(first.state())
    assert same(steps(rest, 2).tuned(), steps(tuning(fresh()), 2).tuned())


def test_the_seed_decides(fresh):
    a, b, c = (steps(tuning(fresh(), seed=seed), 2) for seed in (0, 0, 1))
    assert same(a.tuned(), b.tuned()) and a.losses == b.losses
    assert not same(a.tuned(), c.tuned()) and a.losses != c.losses


def test_tuning_leaves_the_global_generator_alone(model):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    steps(tuning(model), 1)
    assert torch.equal(torch.rand(3), expected)


def test_every_step_draws_the_latents_noise_and_timestep_anew(model, monkeypatch):
    work, drawn = tuning(model, lr=0), []
    add_noise = model.schedule.add_noise
    monkeypatch.setattr(model.schedule, "add_noise", lambda *a: drawn.append(a) or add_noise(*a))
    steps(work, 3)
    latents, noises, times = zip(*drawn)
    assert len({t.item() for t in times}) == 3
    for of in (latents, noises):
        # nor alike in two frames
        assert not torch.equal(of[0], of[1]) and not torch.equal(of[0][0], of[0][1])
    assert times[0].shape == (1,)  # one timestep for the whole clip


# ---- half precision and numbers that overflow


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_updates_too_small_for_half_precision_add_up_in_the_masters(fresh, dtype):
    work = tuning(fresh(dtype), lr=1e-6)
    name = next(name for name in work.masters if name.endswith("attn1.to_q.weight"))
    before, rounded = work.masters[name].detach().clone(), work.parameters[name].detach().clone()
    steps(work, 4)
    moved = (work.masters[name] - before).abs().max().item()
    assert work.masters[name].dtype == torch.float32 and work.parameters[name].dtype == dtype
    assert 2e-6 < moved < 6e-6  # four steps of Adam, each about lr
    close = rounded.abs() > 0.05  # where neighbouring half precision numbers are 3e-5 or more apart
    changed = (work.parameters[name] != rounded)[close].float().mean().item()
    assert changed < 0.2  # most would never move on their own


def test_half_precision_sees_the_rounded_masters(fresh):
    work = steps(tuning(fresh(torch.bfloat16), lr=1e-2), 2)
    for name, master in work.masters.items():
        assert torch.equal(work.parameters[name], master.to(torch.bfloat16))


def test_loss_scaling_changes_no_gradient(fresh):
    plain, scaled = tuning(fresh()), tuning(fresh())
    scaled.scale = 2.0**10  # a power of two, so fp32 keeps every bit
    assert same(steps(plain, 2).tuned(), steps(scaled, 2).tuned())
    assert tuning(fresh(torch.float16)).scale == 2.0**14
    assert tuning(fresh(torch.bfloat16)).scale == plain.scale == 1


def test_a_step_that_overflows_is_left_out_and_the_scale_halved(fresh):
    work = tuning(fresh(torch.float16))
    work.scale = 2.0**60
    before = {name: tensor.clone() for name, tensor in work.tuned().items()}
    steps(work, 1)
    assert work.scale == 2.0**59 and same(work.tuned(), before) and len(work.losses) == 1
    rest = tuning(fresh(torch.float16))
    rest.restore(work.state())  # saved while AdamW had nothing to remember yet
    assert rest.scale == 2.0**59
    rest.scale = 2.0**10
    assert not same(steps(rest, 1).tuned(), before) and rest.scale == 2.0**10


def test_a_state_can_be_continued_in_another_dtype(fresh):
    dtypes = (torch.float32, torch.float16)
    states = [steps(tuning(fresh(dtype)), 2).state() for dtype in dtypes]
    for state, dtype in zip(states, reversed(dtypes)):
        rest = tuning(fresh(dtype))
        rest.restore(state)
        assert rest.scale == (2.0**14 if dtype == torch.float16 else 1)
        steps(rest, 1)
        assert all(
            torch.equal(rest.parameters[name], rest.masters[name].to(dtype))
            for name in rest.masters
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_loss_that_is_not_finite_stops_with_nothing_changed(fresh, dtype):
    work = steps(tuning(fresh(dtype)), 2)
    before = {name: tensor.clone() for name, tensor in work.state().items()}
    work.posterior = Posterior(work.posterior.mean, work.posterior.std * torch.inf)
    with pytest.raises(Unsuitable, match="the loss is nan at step 2$"):
        work.loss()
    assert same(work.state(), before)


def test_a_gradient_that_is_not_finite_stops_unless_scaling_can_help(model):
    work = steps(tuning(model), 1)
    before = {name: tensor.clone() for name, tensor in work.state().items()}
    with pytest.raises(Unsuitable, match="the gradient is (nan|inf) at step 1$"):
        work.update(work.loss() * torch.inf)
    assert same(work.state(), before)


class WithoutQueries(TemporalAttention):
    """The mean over time: it has queries, and does not use them."""

    def forward(self, x, frames=1):
        v = self.to_v(x).unflatten(0, (-1, frames))
        return self.to_out[0](v.mean(dim=1, keepdim=True).expand_as(v).flatten(0, 1))


def test_a_variant_with_a_weight_that_does_nothing_is_told_which(model):
    inflate(model.unet, temporal=WithoutQueries)
    work = tuning(model)
    with pytest.raises(Unsuitable, match="does not depend on .*attn_temp.to_q.weight"):
        work.update(work.loss())


# ---- memory


def kept(of: Tuning) -> int:
    """Bytes of the tensors that a step leaves for its backward pass, weights not counted; each
    storage once."""
    weights, found = {p.untyped_storage().data_ptr() for p in of.unet.parameters()}, {}

    def keep(x: torch.Tensor) -> torch.Tensor:
        storage = x.untyped_storage()
        found[storage.data_ptr()] = storage  # held, so that its place is not used again
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        of.loss()
    return sum(storage.nbytes() for place, storage in found.items() if place not in weights)


def test_checkpointing_keeps_less_and_changes_nothing(fresh):
    low, fast = (tuning(fresh(), checkpointing=checkpointing) for checkpointing in (True, False))
    assert kept(low) < kept(fast) / 4
    assert same(steps(low, 3).tuned(), steps(fast, 3).tuned())


def test_checkpointing_starves_no_trained_tensor_of_its_gradient(fresh):
    """The published code's checkpoints do: those of the down blocks, whose inputs need no gradient.

    Every trained tensor must get what it gets without checkpointing.
    """
    gradients = {}
    for low in (True, False):
        of = steps(tuning(fresh(), checkpointing=low), 1)  # Temp-Attn's output is zero no more
        of.loss().backward()
        gradients[low] = {name: p.grad for name, p in of.parameters.items()}
    assert all(grad is not None and grad.any() for grad in gradients[True].values())
    assert same(gradients[True], gradients[False])


def test_memory_is_saved_when_a_step_is_large(model):
    """What is large: 24 frames of 512 x 512 for SD 1.4, which keep 24 GB in bf16 (lesson 13)."""
    # of the tiny UNet's 64 channels
    values = (torch.zeros(1).expand(24, 4, side, side) for side in (64, 512))
    small, large = (Posterior(mean, mean) for mean in values)
    assert use_checkpointing(model, large) and not use_checkpointing(model, small)
    assert use_checkpointing(model, small, "low") and not use_checkpointing(model, large, "fast")
    for checkpointing in (True, False):
        of = tuning(model, checkpointing=checkpointing)
        assert of.unet.down_blocks[0].checkpointing == checkpointing


# ---- settings


def test_the_recipe_is_the_published_one_unless_the_weights_have_their_own(model):
    assert model.recipe("tune") == PUBLISHED["tune"] | {"size": 16}
    assert PUBLISHED["tune"] == {"frames": 24, "stride": 2, "steps": 500, "lr": 3e-5}
    model.defaults = {"tune": {"steps": 7, "size": 32}}
    assert model.recipe("tune") == PUBLISHED["tune"] | {"steps": 7, "size": 32}


@pytest.mark.parametrize("h, w", [(16, 18), (18, 16), (2, 2)])
def test_sizes_that_do_not_suit_the_model_are_refused(model, h, w):
    assert encode_clip(model, clip(2, 4, 8)).mean.shape == (2, 4, 2, 4)
    with pytest.raises(Unsuitable, match=f"frames of {w} x {h} pixels: not multiples of 4$"):
        encode_clip(model, clip(2, h, w))

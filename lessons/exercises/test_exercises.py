"""Is yours right? `python -m pytest lessons/exercises -k 03` checks what you wrote for the
exercises of lesson 03.

Each check gets the function or class you wrote and compares it with tav's own on random tensors.
"""

import importlib
import json
import math
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.utils.flop_counter import FlopCounterMode

from tav.inflation import SparseCausalAttention, TemporalAttention, first_and_previous
from tav.io.vocabulary import read_tokenizer
from tav.layers import attend, group_norm
from tav.metrics import frame_consistency
from tav.sampling import invert
from tav.schedule import Schedule
from tav.tuning import Tuning
from tav.unet import UNet2DConditionModel, timestep_embedding
from tav.vae import Posterior

CHECKS = []


def exercise(file: str, name: str) -> Callable:
    """Registers the decorated check for `name` in the exercise file."""

    def register(check: Callable) -> Callable:
        CHECKS.append(check)
        check.file, check.name = file, name
        return check

    return register


def load(file: str, name: str):
    """What stands under `name` in the reader's file."""
    return getattr(importlib.import_module(f"lessons.exercises.{file}"), name)


# A lesson's checks stand under the line with its number; each with what is to be compared in it.


# ---- 00


@exercise("e00_motion", "same_motion")
def check_motion(same_motion):
    torch.manual_seed(0)
    video, other = torch.randn(2, 5, 3, 8, 6)
    assert same_motion(video, 0.5 * video.flip(1) + 0.1) == pytest.approx(1, abs=1e-4)
    maps = torch.stack([video, other]).diff(dim=1).abs().mean(dim=2).flatten(1).double()
    one, two = maps - maps.mean(dim=1, keepdim=True)
    expected = (one @ two / (one.norm() * two.norm())).item()
    assert same_motion(video, other) == pytest.approx(expected, abs=1e-4)


@exercise("e00_mix", "mix")
def check_mix(mix):
    torch.manual_seed(0)
    noise, other = torch.randn(2, 8, 4, 32, 32)
    assert torch.equal(mix(noise, other, 0.0), noise) and torch.equal(mix(noise, other, 1.0), other)
    for share in (0.25, 0.5, 0.9):
        yours = mix(noise, other, share)
        assert yours.var().item() == pytest.approx(1, abs=0.03), f"variance at share {share}"
        of_other = torch.corrcoef(torch.stack([yours.flatten(), other.flatten()]))[0, 1] ** 2
        assert of_other.item() == pytest.approx(share, abs=0.03), f"not share {share} of `other`"


# ---- 00b


@exercise("e00b_fill", "fill")
def check_fill(fill):
    torch.manual_seed(0)
    x, picture, noise = torch.randn(3, 5, 3, 16, 16)
    given, schedule = torch.arange(16).expand(16, 16) < 8, Schedule()
    for t in (10, 500, 990):
        yours = fill(x, picture, given, noise, schedule.alphas_cumprod[t])
        assert torch.equal(yours[..., 8:], x[..., 8:]), "the other half changes"
        expected = schedule.add_noise(picture, noise, t)[..., :8]
        assert torch.allclose(yours[..., :8], expected, atol=1e-5), f"wrong at t = {t}"


@exercise("e00b_step", "step")
def check_step(step):
    torch.manual_seed(0)
    x, prediction = torch.randn(2, 5, 3, 16, 16)
    schedule = Schedule()
    levels = schedule.alphas_cumprod
    for t, to in ((900, 880), (500, 100), (100, 500), (981, 999)):
        yours = step(x, prediction, levels[t], levels[to])
        right = schedule.ddim_step(prediction, x, t, to)
        assert torch.allclose(yours, right, atol=1e-4), f"wrong from t = {t} to {to}"


# ---- 01


@exercise("e01_kl", "kl")
def check_kl(kl):
    torch.manual_seed(0)
    numbers = torch.randn(4, 3, 4, 8, 8)
    one, other = (
        Normal(mean, (0.5 * logvar).exp()) for mean, logvar in numbers.unflatten(0, (2, 2))
    )
    expected = kl_divergence(one, other).sum(dim=(1, 2, 3))
    yours = kl(*numbers)
    assert yours.shape == (3,), f"one value for each of 3 frames, not {tuple(yours.shape)}"
    assert torch.allclose(yours, expected, rtol=1e-4)


@exercise("e01_window", "window")
def check_window(window):
    """Against the gradient of real convolutions, whose weights are all one."""
    halving, kept = (3, 2, 0), (3, 1, 1)
    for layers in (
        [(5, 1, 0)],
        [(3, 2, 1), (3, 1, 0)],
        [kept, halving, kept, halving, kept, halving],  # like the VAE's encoder
        [(4, 3, 2), (1, 1, 0), (5, 2, 1), (2, 2, 0)],
    ):
        x = torch.zeros(1, 1, 300, requires_grad=True)
        y = x
        for kernel, stride, padding in layers:
            y = F.conv1d(F.pad(y, (padding, kernel)), torch.ones(1, 1, kernel), stride=stride)
        i = y.shape[-1] // 2
        y[0, 0, i].backward()
        right = x.grad[0, 0].nonzero()[[0, -1], 0].tolist()
        yours = window(layers, i)
        assert list(yours) == right, f"output {i} of {layers} sees {right}, not {yours}"
        jump = i * math.prod(stride for _, stride, _ in layers)
        assert list(window(layers, 0)) == [place - jump for place in right], f"output 0 of {layers}"


# ---- 02


@exercise("e02_bpe", "bpe")
def check_bpe(bpe):
    folder = Path(__file__).parents[2] / "tav" / "io" / "clip-tokenizer"
    tokenizer = read_tokenizer(folder)
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    merges = [tuple(line.split()) for line in lines]
    for word in (
        "skiing",
        "beach",
        "unbelievableness",
        "banana",
        "mississippi",
        "a",
        "zzxq",
        "snowboarder",
    ):
        assert bpe(word, merges) == tokenizer.pieces(word)[1:-1], word


@exercise("e02_causal", "causal_attention")
def check_causal(causal_attention):
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 7, 8)
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # as `CLIPAttention` has it
    yours = causal_attention(q, k, v)
    assert yours.shape == (2, 4, 7, 8)
    assert torch.allclose(yours[:, :, 0], v[:, :, 0], atol=1e-5), "position 0 sees itself only"
    assert torch.allclose(yours, expected, atol=1e-5)


# ---- 03


@exercise("e03_zero_end", "zero_end")
def check_zero_end(zero_end):
    for schedule in (Schedule(), Schedule(100, 0.001, 0.03)):
        levels = schedule.alphas_cumprod
        yours = zero_end(levels)
        assert yours.shape == levels.shape, f"{len(levels)} levels, not {tuple(yours.shape)}"
        assert yours[-1] == 0 and torch.allclose(yours[0], levels[0]), "the first or the last level"
        slopes = yours.sqrt().diff() / levels.sqrt().diff()
        assert torch.allclose(slopes, slopes[:1], rtol=0.01), "the roots are not shifted and scaled"


@exercise("e03_smaller", "timestep_of_smaller")
def check_smaller(timestep_of_smaller):
    """Against the standard deviation of noise that was made smaller."""
    noise = torch.randn(20_000, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for schedule in (Schedule(), Schedule(beta_schedule="linear")):
        levels = ((1 - schedule.alphas_cumprod) / schedule.alphas_cumprod).sqrt()
        for t, k in ((999, 1), (900, 2), (500, 4), (300, 8)):
            level = levels[t] * F.avg_pool2d(noise, k).std()
            yours, right = timestep_of_smaller(schedule, t, k), (levels - level).abs().argmin()
            assert abs(yours - right) <= 5, f"{k} x {k} at t = {t}: {right} or close, not {yours}"


# ---- 04


@exercise("e04_later", "later")
def check_later(later):
    t = torch.tensor([0, 1, 20, 500, 900])
    for dim, steps in ((8, 0), (8, 1), (64, 40), (320, 99), (320, -1)):
        yours = later(timestep_embedding(t, dim), steps)
        assert yours.shape == (5, dim)
        right = timestep_embedding(t + steps, dim)
        assert torch.allclose(yours, right, atol=1e-3), f"wrong for dim {dim}, {steps} steps"


@exercise("e04_attend", "attend")
def check_attend(yours):
    torch.manual_seed(0)
    for heads in (1, 2, 3):
        q, (k, v) = torch.randn(2, 5, 12), torch.randn(2, 2, 7, 12)
        assert torch.allclose(yours(q, k, v, heads), attend(q, k, v, heads), atol=1e-5), (
            f"wrong with {heads} heads"
        )


# ---- 05


@exercise("e05_rescaled", "rescaled")
def check_rescaled(rescaled):
    """Images of different sizes of prediction; plain guidance; and their mixture."""
    torch.manual_seed(0)
    negative, prompt = torch.randn(2, 3, 4, 8, 8) * torch.tensor([0.5, 1, 2]).view(3, 1, 1, 1)
    for guidance in (1.0, 3.0, 15.0):
        plain = torch.lerp(negative, prompt, guidance)
        assert torch.allclose(rescaled(negative, prompt, guidance, 0.0), plain, atol=1e-4), (
            f"share 0 at guidance {guidance} is not plain guidance"
        )
        full = rescaled(negative, prompt, guidance, 1.0)
        assert torch.allclose(full.flatten(1).std(dim=1), prompt.flatten(1).std(dim=1)), (
            f"not the standard deviation of the prompt's prediction at guidance {guidance}"
        )
        assert torch.allclose(F.cosine_similarity(full, plain, dim=1), torch.tensor(1.0)), (
            "it points elsewhere than guidance does"
        )
        half = rescaled(negative, prompt, guidance, 0.5)
        assert torch.allclose(half, (full + plain) / 2, atol=1e-4), "share 0.5 is not half of each"


@exercise("e05_heun", "heun_step")
def check_heun(heun_step):
    """In a world of numbers around 1, where the best prediction and its curves are known."""
    torch.manual_seed(0)
    schedule, spread, asked = Schedule(), 0.5, []
    alphas = schedule.alphas_cumprod

    def variance(t):
        return alphas[t] * spread**2 + 1 - alphas[t]

    def best(x, t):
        asked.append(t)
        return (1 - alphas[t]).sqrt() * (x - alphas[t].sqrt()) / variance(t)

    for t, previous in [(401, 301), (201, 101), (101, 1)]:
        x, a, a_prev = torch.randn(2, 4, 8, 8), alphas[t], alphas[previous]
        curve = a_prev.sqrt() + (variance(previous) / variance(t)).sqrt() * (x - a.sqrt())
        euler = schedule.ddim_step(best(x, t), x, t, previous)
        asked.clear()
        yours = heun_step(best, x, t, previous, schedule)
        assert asked == [t, previous], f"asked at {asked}, not at {[t, previous]}"
        slopes = (best(x, t) + best(euler, previous)) / 2
        length = schedule.sigma(previous) - schedule.sigma(t)
        right = a_prev.sqrt() * (x / a.sqrt() + length * slopes)
        assert torch.allclose(yours, right, atol=1e-4), f"not Heun's step from {t} to {previous}"
        off, eulers = ((it - curve).square().mean().sqrt() for it in (yours, euler))
        assert off < eulers / 3, f"from {t} to {previous} off by {off:.4f}, DDIM by {eulers:.4f}"


# ---- 06


@exercise("e06_safetensors", "read")
def check_safetensors(read):
    torch.manual_seed(0)
    tensors = {
        "b": torch.randn(2, 3, 4),
        "a": torch.randn(5).half(),
        "c": torch.arange(6).view(3, 2),
    }
    for metadata in (None, {"format": "pt"}):
        yours = read(safetensors.torch.save(tensors, metadata))
        assert yours.keys() == tensors.keys(), f"{sorted(yours)} instead of {sorted(tensors)}"
        for name, tensor in tensors.items():
            assert yours[name].dtype == tensor.dtype, f"{name} is {tensor.dtype}"
            assert torch.equal(yours[name], tensor), f"{name} has other numbers"


@exercise("e06_theirs", "theirs")
def check_theirs(theirs):
    file = Path(__file__).parents[2] / "tests" / "data" / "single_file.json"
    for name, (ours, *_) in json.loads(file.read_text(encoding="utf-8"))["unet"].items():
        if name.startswith(("input_blocks", "output_blocks")):
            assert theirs(ours) == name, f"{ours} is {name}, not {theirs(ours)}"


# ---- 07


@exercise("e07_conv", "inflate_conv")
def check_inflate_conv(inflate_conv):
    """Convolutions of several sizes, on a video and on its folded frames."""
    torch.manual_seed(0)
    video = torch.randn(2, 4, 3, 9, 11)  # b f c h w
    sizes = ((3, 1, 1), (1, 1, 0), (3, 2, 1), ((1, 5), (1, 3), (0, 2)))
    for depth, (size, stride, padding) in product((1, 3), sizes):
        conv = nn.Conv2d(3, 5, size, stride, padding).requires_grad_(False)
        deep = inflate_conv(conv, depth)
        assert isinstance(deep, nn.Conv3d) and deep.kernel_size == (depth, *conv.kernel_size)
        yours, right = (
            deep(video.transpose(1, 2)).transpose(1, 2),
            conv(video.flatten(0, 1)).unflatten(0, (2, 4)),
        )
        assert yours.shape == right.shape, (
            f"kernel {size}, stride {stride}: {yours.shape}, not {right.shape}"
        )
        assert torch.allclose(yours, right, atol=1e-5), f"kernel {size}, stride {stride}"


@exercise("e07_group_norm", "pooled_group_norm")
def check_pooled_group_norm(pooled_group_norm):
    """Two videos of three frames, each frame with a brightness of its own."""
    torch.manual_seed(0)
    x = torch.randn(6, 8, 4, 5) + 2 * torch.randn(6, 8, 1, 1)
    for groups, eps in ((2, 1e-5), (4, 1e-2)):
        norm = nn.GroupNorm(groups, 8, eps, affine=False)
        yours = pooled_group_norm(x, groups, 3, eps)
        assert torch.allclose(yours, group_norm(norm, x, frames=3), atol=1e-4), (
            f"{groups} groups, eps {eps}"
        )


# ---- 08


@exercise("e08_sc_attn", "sc_attn")
def check_sc_attn(sc_attn):
    """Two videos of four frames, one of a single frame."""
    torch.manual_seed(0)
    for b, frames in ((2, 4), (1, 1)):
        q, k, v = torch.randn(3, b * frames, 6, 8)
        right = attend(q, first_and_previous(k, frames), first_and_previous(v, frames), heads=2)
        assert torch.allclose(sc_attn(q, k, v, frames, 2), right, atol=1e-5), (
            f"{b} videos of {frames} frames"
        )


@exercise("e08_share_of_first", "share_of_first")
def check_share_of_first(share_of_first):
    """Against values that are 1 for the first frame and 0 for the previous one."""
    torch.manual_seed(0)
    q, k = 3 * torch.randn(2, 6, 5, 8)  # two videos of three frames, 5 positions of width 8
    both = first_and_previous(k, 3)
    values = torch.cat([torch.ones(6, 5, 8), torch.zeros(6, 5, 8)], dim=1)
    right = attend(q, both, values, 2).unflatten(2, (2, -1))[..., 0].transpose(1, 2)
    yours = share_of_first(q, both, 2)
    assert yours.shape == (6, 2, 5), f"{tuple(yours.shape)}, not (6, 2, 5)"
    assert torch.allclose(yours, right, atol=1e-5)
    assert torch.allclose(yours[[0, 1, 3, 4]], torch.tensor(0.5)), "frames 0 and 1: a half"


# ---- 09


@exercise("e09_causal", "causal")
def check_causal_over_time(causal):
    """What frame i sees must be what Temp-Attn sees in a video that ends with frame i."""
    torch.manual_seed(0)
    attention = TemporalAttention(8, heads=2).requires_grad_(False)
    videos = torch.randn(2, 4, 6, 8)  # b f n d
    yours = causal(attention, videos.flatten(0, 1), 4)
    assert yours.shape == (8, 6, 8)
    for i in range(4):
        right = attention(videos[:, : i + 1].flatten(0, 1), frames=i + 1).unflatten(0, (2, -1))[
            :, -1
        ]
        assert torch.allclose(yours.unflatten(0, (2, 4))[:, i], right, atol=1e-5), f"frame {i}"


@exercise("e09_attended", "frames_attended")
def check_frames_attended(frames_attended):
    """Weights that are equal, that are all on one frame, and that come from `attend` itself."""
    torch.manual_seed(0)
    attention, x = TemporalAttention(8, heads=2).requires_grad_(False), torch.randn(8, 6, 8)
    same = x[::4].repeat_interleave(4, dim=0)  # two videos that stand still
    assert frames_attended(attention, same, 4) == pytest.approx(4, rel=1e-4), "equal weights"
    attention.to_q.weight.mul_(1e3)
    assert frames_attended(attention, x, 4) < 1.2, "nearly all weight on one frame"
    attention.to_q.weight.mul_(3e-3)
    tokens = x.unflatten(0, (2, 4)).transpose(1, 2).flatten(0, 1)  # b*n f d
    one_hot = torch.eye(4).repeat(1, 2).expand(12, 4, 8)  # what attention returns is its weights
    weights = attend(attention.to_q(tokens), attention.to_k(tokens), one_hot, heads=2)
    weights = weights.unflatten(2, (2, 4))  # b*n f heads f
    right = torch.special.entr(weights).sum(dim=-1).mean().exp().item()
    assert frames_attended(attention, x, 4) == pytest.approx(right, rel=1e-3)


# ---- 10


def small_tuning(prediction_type: str = "epsilon") -> Tuning:
    """The tuning of a tiny random video UNet on three tiny random frames."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel([32], 1, heads=[2], attentive=[True], cross_attention_dim=8)
    posterior = Posterior(torch.randn(3, 4, 4, 4), torch.rand(3, 4, 4, 4))
    model = SimpleNamespace(unet=unet, schedule=Schedule(prediction_type=prediction_type))
    return Tuning(model, posterior, torch.randn(1, 5, 8), lr=1e-3, seed=0)


@exercise("e10_adamw", "adamw")
def check_adamw(adamw):
    """Against PyTorch's, for five steps with gradients of different sizes."""
    generator = torch.Generator().manual_seed(0)
    right = nn.Parameter(torch.randn(6, 5, generator=generator))
    optimizer = torch.optim.AdamW([right], lr=0.01, weight_decay=0.1)
    yours, m, v = right.detach().clone(), torch.zeros(6, 5), torch.zeros(6, 5)
    for step in range(1, 6):
        right.grad = torch.randn(6, 5, generator=generator) * 10.0**-step
        yours, m, v = adamw(yours, right.grad, m, v, step, 0.01, 0.1)
        optimizer.step()
        off = (yours - right).abs().max().item()
        assert off < 1e-5, f"off by {off:.6f} after step {step}"


@exercise("e10_progress", "progress")
def check_progress(progress):
    """Both kinds of prediction; a second call gives the same; after an update something differs."""
    for kind in ("epsilon", "v_prediction"):
        tuning = small_tuning(kind)
        x0, timesteps = tuning.posterior.mean, [1, 500, 999]
        now = partial(progress, tuning.unet, tuning.schedule, x0, tuning.text, timesteps, 5)
        before = now()
        noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(5))
        for t, loss in zip(torch.tensor(timesteps)[:, None], before, strict=True):
            noisy = tuning.schedule.add_noise(x0, noise, t)
            off = tuning.unet(noisy, t, tuning.text, 3) - tuning.schedule.target(x0, noise, t)
            assert loss == pytest.approx(off.square().mean().item(), rel=1e-4), f"t = {t.item()}"
        torch.manual_seed(1)
        assert now() == before, "the second call, with the same weights, differs"
        tuning.update(tuning.loss())
        assert now() != before


# ---- 11


@exercise("e11_invert_v", "invert_v")
def check_invert_v(invert_v):
    """Steps of several lengths; and that `ddim_step` comes back."""
    schedule = Schedule(prediction_type="v_prediction")
    v, x = torch.randn(2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    for t, left in ((1, 0), (501, 481), (981, 1)):
        yours = invert_v(v, x, schedule.alphas_cumprod[t], schedule.alphas_cumprod[left])
        right = schedule.ddim_invert_step(v, x, t, left)
        assert torch.allclose(yours, right, atol=1e-5), f"wrong from t = {left} to {t}"


@exercise("e11_rounds", "climb")
def check_climb(climb):
    """Against `tav.sampling.invert` without rounds; with rounds, DDIM comes back to the latents."""
    latents = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))

    def predict(x, t):
        return 0.5 * torch.tanh(x * (1 + t / 500))

    def unet(x, t, text, frames):
        return predict(x, t.item())

    for kind, steps in (("epsilon", 5), ("epsilon", 10), ("v_prediction", 10)):
        schedule = Schedule(prediction_type=kind)
        model = SimpleNamespace(unet=unet, schedule=schedule, embed=lambda _: torch.zeros(1, 1, 1))
        yours, right = climb(predict, latents, schedule, steps, 0), invert(model, latents, steps)
        assert torch.allclose(yours, right, atol=1e-4), f"without rounds: {steps} steps, {kind}"
    errors = []
    for rounds in range(4):
        x = climb(predict, latents, schedule, 10, rounds)
        for t, _ in schedule.steps(10):
            x = schedule.ddim_step(predict(x, t), x, t, t - 100)
        errors.append((x - latents).abs().mean().item())
    shown = ", ".join(f"{error:.5f}" for error in errors)
    assert all(after < before / 2 for before, after in zip(errors, errors[1:])), (
        f"the way back misses by {shown} with 0, 1, 2 and 3 rounds"
    )


# ---- 12


@exercise("e12_consistency", "consistency")
def check_consistency(consistency):
    """All pairs as in tav; fewer of them with directions whose angles are known."""
    vectors = torch.randn(6, 16, generator=torch.Generator().manual_seed(0)) + 1
    vectors *= torch.arange(1.0, 7).view(-1, 1)  # not unit vectors
    yours, right = consistency(vectors, 5), frame_consistency(vectors)
    assert math.isclose(yours, right, abs_tol=1e-3), f"{yours:.3f}, not {right:.3f}, with reach 5"
    directions = torch.tensor([0.0, 60.0, 90.0, 180.0]).deg2rad()
    four = torch.stack([directions.cos(), directions.sin()], dim=1)
    for reach, angles in ((1, (60, 30, 90)), (2, (60, 30, 90, 90, 120))):
        yours = consistency(four, reach)
        right = 100 * sum(math.cos(math.radians(angle)) for angle in angles) / len(angles)
        assert math.isclose(yours, right, abs_tol=1e-3), (
            f"{yours:.3f}, not {right:.3f}, with reach {reach} of four frames"
        )


@exercise("e12_direction", "directional_similarity")
def check_directional_similarity(directional_similarity):
    """Frames that go the prompt's way, against it, across it, and nowhere."""
    clip, dog, cat, snow = F.normalize(torch.eye(4), dim=-1)
    still, on = clip.expand(1, 4), F.normalize(clip + cat, dim=0)[None]
    assert directional_similarity(dog[None], cat[None], dog, cat) == pytest.approx(100)
    assert directional_similarity(cat[None], dog[None], dog, cat) == pytest.approx(-100)
    assert directional_similarity(still, snow[None], dog, cat) == pytest.approx(0, abs=1e-4)
    assert directional_similarity(still, still, dog, cat) == 0, "nothing was changed"
    way, wanted = on[0] - clip, cat - dog
    right = 100 * (way @ wanted / (way.norm() * wanted.norm())).item()
    assert directional_similarity(still, on, dog, cat) == pytest.approx(right, abs=1e-3)
    half = directional_similarity(still.expand(2, 4), torch.cat([on, still]), dog, cat)
    assert half == pytest.approx(right / 2, abs=1e-3), "of two frames, one that was not changed"


# ---- 12b


@exercise("e12b_luck", "luck")
def check_luck(luck):
    """Clips of which the one method always gets more; then two that differ by luck."""
    b = {clip: 10.0 * clip for clip in range(6)}
    gains = {5: 1.1, 3: 3.0, 1: 0.7, 0: 3.0}
    a = {clip: b[clip] + gain for clip, gain in gains.items()} | {7: 100.0}
    zero = dict.fromkeys(range(4), 0.0)
    for x, y, right in (
        (a, b, 2 / 16),
        (b, a, 2 / 16),
        ({0: 0.1, 1: 0.2, 2: -0.3}, zero, 1),
        ({0: 0.1, 1: -1.0, 2: 2.0, 3: 0.9}, zero, 10 / 16),
    ):
        yours = luck(x, y)
        assert yours == pytest.approx(right), f"{yours}, not {right}, of {x} and {y}"


@exercise("e12b_elsewhere", "motion_error")
def check_motion_error(motion_error):
    """Points that are shifted, off at random, or still, some of them out of the frame."""
    generator = torch.Generator().manual_seed(0)
    truly, noise = torch.rand(2, 4, 6, 2, generator=generator)
    there = torch.rand(4, 6, generator=generator) < 0.7
    shifted = truly + torch.tensor([0.1, -0.05])
    shifted[~there] = 9.0
    assert motion_error(shifted, truly, there) == pytest.approx(0, abs=1e-3), "a shift counts"
    noise[there] -= noise[there].mean(dim=0)
    right = 100 * noise[there].norm(dim=1).mean().item()
    yours = motion_error(shifted + noise, truly, there)
    assert yours == pytest.approx(right, abs=1e-3), f"{yours:.3f}, not {right:.3f}"
    path = torch.tensor([-0.3, -0.1, 0.1, 0.3]).view(4, 1, 1).expand(4, 6, 2)
    yours = motion_error(torch.zeros(4, 6, 2), path, torch.ones(4, 6, dtype=torch.bool))
    right = 100 * 0.2 * 2**0.5
    assert yours == pytest.approx(right, abs=1e-3), f"{yours:.3f}, not {right:.3f}, standing still"


# ---- 13


@exercise("e13_checkpoint", "checkpointed")
def check_checkpointed(checkpointed):
    """Its result, the bytes that are kept of it, and all gradients."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 5), nn.Sigmoid())
    x, weights = torch.randn(4, 8, requires_grad=True), list(layers.parameters())
    right, kept = layers(x), {}

    def keep(tensor):
        kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yours = checkpointed(layers, x)
    assert torch.equal(yours, right), "another result than the function's"
    assert sum(kept.values()) <= x.nbytes, f"it keeps {sum(kept.values())} bytes; x has {x.nbytes}"
    gradient = torch.randn(4, 5)
    expected = torch.autograd.grad(right, [x, *weights], gradient)
    yours.backward(gradient)
    for name, leaf, g in zip(
        ("x", *(name for name, _ in layers.named_parameters())), [x, *weights], expected
    ):
        assert leaf.grad is not None, f"no gradient reaches {name}"
        assert torch.allclose(leaf.grad, g, atol=1e-6), f"wrong gradient of {name}"


@exercise("e13_flops", "sc_attn_flops")
def check_sc_attn_flops(sc_attn_flops):
    """Against torch's counter, on the meta device, where attention is made of products that it can
    count."""
    for frames, tokens, heads, dim in ((1, 3, 1, 4), (3, 16, 2, 8), (24, 64, 4, 32)):
        with torch.device("meta"), FlopCounterMode(display=False) as flops:
            SparseCausalAttention(dim, heads)(torch.empty(frames, tokens, dim), frames)
        yours, right = sc_attn_flops(frames, tokens, dim), flops.get_total_flops()
        assert yours == right, (
            f"{yours:,}, not {right:,}, for {frames} frames of {tokens} tokens of width {dim}"
        )


# ---- 14


@exercise("e14_flow", "flow_step")
def check_flow_step(flow_step):
    """Against the lesson's step in its own coordinates, x / (1 - s), whose sigma is s / (1 - s)."""
    generator = torch.Generator().manual_seed(0)
    clip, edit, noise = torch.randn(3, 2, 4, 5, 5, generator=generator)

    def with_caption(x, s):
        return torch.tanh(x * (1 + s))

    def with_prompt(x, s):
        return torch.tanh(x * (1 - s) + 0.5)

    def noise_in(y, s, velocity):
        x = (1 - s) * y
        return x + (1 - s) * velocity(x, s)  # x = (1 - s) x_0 + s noise, v = noise - x_0

    for s, s_next in ((0.9, 0.7), (0.5, 0.25), (0.2, 0.0)):
        sigma, sigma_next = s / (1 - s), s_next / (1 - s_next)
        before = clip + (edit - clip) / (1 - s)  # that of the lesson
        of_clip = noise_in(clip + sigma * noise, s, with_caption)
        of_edit = noise_in(before + sigma * noise, s, with_prompt)
        after = before + (sigma_next - sigma) * (of_edit - of_clip)
        right = clip + (1 - s_next) * (after - clip)
        yours = flow_step(with_caption, with_prompt, clip, edit, noise, s, s_next)
        assert torch.allclose(yours, right, atol=1e-4), f"not the step from {s} to {s_next}"
    yours = flow_step(with_caption, with_caption, clip, clip, noise, 0.8, 0.6)
    assert torch.allclose(yours, clip, atol=1e-5), "the caption as prompt moves the clip"


@exercise("e14_lora", "LoRA")
def check_lora(lora):
    """The layer itself at first; then with known matrices; then two steps of training."""
    torch.manual_seed(0)
    x, target, rank, alpha = torch.randn(4, 6, 8), torch.randn(4, 6, 5), 2, 3.0
    for bias in (True, False):
        layer = nn.Linear(8, 5, bias=bias)
        before, plain = [p.detach().clone() for p in layer.parameters()], layer(x).detach()
        new = lora(layer, rank, alpha)
        assert torch.allclose(new(x), plain, atol=1e-6), "at first it must be the layer as it was"
        trained = {tuple(p.shape): p for p in new.parameters() if p.requires_grad}
        assert sorted(trained) == [(2, 8), (5, 2)], f"{sorted(trained)} train, not A and B"
        a, b = trained[2, 8], trained[5, 2]
        start = a.detach().clone()
        optimizer = torch.optim.SGD([a, b], lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            F.mse_loss(new(x), target).backward()
            optimizer.step()
        assert b.abs().max() > 0 and not torch.equal(a, start), "A or B does not learn"
        with torch.no_grad():
            right = plain + alpha / rank * x @ (b @ a).T
            assert torch.allclose(new(x), right, atol=1e-5), "not W x + b + alpha / rank * B A x"
        same = all(torch.equal(p, old) for p, old in zip(layer.parameters(), before))
        assert same, "the layer's own weights have changed"


# ----


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.file}-{check.name}")
def test_yours(check):
    check(load(check.file, check.name))

"""Inflation: the video UNet begins as the image UNet, attends as the paper says, and trains what it
says."""

import re
from functools import cache

import golden
import pytest
import torch
from torch import Tensor, nn

from tav.inflation import (
    SparseCausalAttention,
    TemporalAttention,
    VideoTransformerBlock,
    inflate,
    trainable,
)
from tav.io.weights import fill
from tav.layers import Attention, ResnetBlock2D, group_norm
from tav.unet import BasicTransformerBlock, Transformer2DModel, UNet2DConditionModel

VARIANTS = ["unet_sd1", "unet_sd2"]
SD14 = {"block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "heads": [8] * 4}
SD14 |= {"attentive": [True, True, True, False], "cross_attention_dim": 768}


read = cache(golden.read)


def image_unet(name: str = "unet_sd1") -> UNet2DConditionModel:
    with torch.device("meta"):
        model = UNet2DConditionModel(**golden.sizes(name))
    fill(
        model,
        ((key, value.clone()) for key, value in read(name)[0].items()),
        "cpu",
        torch.float32,
        name,
    )
    return model


def moved(unet: UNet2DConditionModel, seed: int = 0) -> UNet2DConditionModel:
    """A video UNet as after tuning: Temp-Attn's output layer is no longer zero."""
    torch.manual_seed(seed)
    for name, parameter in unet.named_parameters():
        if "attn_temp.to_out" in name:
            nn.init.normal_(parameter.data, std=0.3)
    return unet


def inputs(frames: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Two videos (2*f, 4, h, w), their timesteps and their text."""
    _, given, _ = read("unet_sd1")
    torch.manual_seed(seed)
    return torch.randn(2 * frames, 4, 8, 12), given["t"], given["text"]


def worst(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return (a - b).abs().max().item()


# ---- exactness


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("frames", [1, 4])
def test_a_still_is_the_image_unets_picture(name, frames):
    """One frame, and one frame repeated, for a batch of two prompts and two timesteps at once."""
    _, given, expected = read(name)
    assert (
        worst(image_unet(name)(given["x"], given["t"], given["text"]), expected["prediction"])
        <= 1e-5
    )
    video = given["x"].repeat_interleave(frames, dim=0)
    got = inflate(image_unet(name))(video, given["t"], given["text"], frames)
    assert worst(got, expected["prediction"].repeat_interleave(frames, dim=0)) <= 1e-5


def test_a_moving_video_is_not_its_pictures():
    """So the test above is not passed by a UNet that never looks at other frames."""
    x, t, text = inputs(frames=3)
    alone = torch.cat(
        [image_unet()(x[i : i + 1], t[i // 3, None], text[i // 3, None]) for i in range(6)]
    )
    assert worst(inflate(image_unet())(x, t, text, frames=3), alone) > 1e-2


@pytest.mark.parametrize("name", VARIANTS)
def test_two_videos_in_one_batch_do_not_meet(name):
    """Guidance runs two prompts at once; each half is what it would be alone, with Temp-Attn at
    work."""
    unet = moved(inflate(image_unet(name)))
    x, t, text = inputs(frames=3)
    both = unet(x, t, text, frames=3)
    for i in range(2):
        alone = unet(x[3 * i : 3 * i + 3], t[i : i + 1], text[i : i + 1], frames=3)
        assert worst(both[3 * i : 3 * i + 3], alone) <= 1e-5


def test_temporal_output_starts_at_zero_weight_and_bias():
    layers = [
        m.attn_temp.to_out[0]
        for m in inflate(image_unet()).modules()
        if isinstance(m, VideoTransformerBlock)
    ]
    assert len(layers) == 2 * 2 + 1 + 2 * 3
    assert all(not layer.weight.any() and not layer.bias.any() for layer in layers)


# ---- SC-Attn


def attention(kind: type, dim: int = 8, heads: int = 2) -> nn.Module:
    torch.manual_seed(1)
    return kind(dim, heads).requires_grad_(False)


def look(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """softmax(q k^T / sqrt(e)) v for tokens (n, d), one head after the other."""
    parts = zip(q.chunk(heads, -1), k.chunk(heads, -1), v.chunk(heads, -1), strict=True)
    return torch.cat(
        [torch.softmax(a @ b.T / a.shape[-1] ** 0.5, dim=-1) @ c for a, b, c in parts], dim=-1
    )


def test_sc_attn_equals_a_loop_over_frames():
    attn = attention(SparseCausalAttention)
    video = torch.randn(2, 5, 6, 8)  # b f n d
    expected = torch.empty_like(video)
    for b in range(2):
        for i in range(5):
            seen = torch.cat([video[b, 0], video[b, max(i - 1, 0)]])
            q, k, v = attn.to_q(video[b, i]), attn.to_k(seen), attn.to_v(seen)
            expected[b, i] = attn.to_out[0](look(q, k, v, attn.heads))
    assert worst(attn(video.flatten(0, 1), frames=5), expected.flatten(0, 1)) <= 1e-5


def touched(attn: nn.Module, frames: int) -> set[tuple[int, int]]:
    """All (i, j) such that a change of frame j changes what SC-Attn says of frame i; the second
    video must not."""
    video = torch.randn(2, frames, 6, 8)
    before = attn(video.flatten(0, 1), frames).unflatten(0, (2, frames))
    pairs = set()
    for j in range(frames):
        changed = video.clone()
        changed[0, j] += 1 + torch.rand(6, 8)
        after = attn(changed.flatten(0, 1), frames).unflatten(0, (2, frames))
        assert torch.equal(after[1], before[1])
        pairs |= {(i, j) for i in range(frames) if not torch.equal(after[0, i], before[0, i])}
    return pairs


@pytest.mark.parametrize("frames", [1, 2, 3, 6])
def test_sc_attn_depends_on_the_first_the_previous_and_the_asking_frame(frames):
    expected = {(i, j) for i in range(frames) for j in range(frames) if j in (0, i - 1, i)}
    assert touched(attention(SparseCausalAttention), frames) == expected


def test_sc_attn_reads_the_asking_frame_through_its_query_only():
    """Without queries (all keys equally good), frame i is out of its own answer, unless it is the
    first."""
    attn = attention(SparseCausalAttention)
    nn.init.zeros_(attn.to_q.weight)
    assert touched(attn, 5) == {(i, j) for i in range(5) for j in (0, max(i - 1, 0))}


# ---- Temp-Attn


def test_temp_attn_equals_a_loop_over_places():
    attn = attention(TemporalAttention)
    video = torch.randn(2, 4, 6, 8)  # b f n d
    expected = torch.empty_like(video)
    for b in range(2):
        for place in range(6):
            frames = video[b, :, place]
            q, k, v = attn.to_q(frames), attn.to_k(frames), attn.to_v(frames)
            expected[b, :, place] = attn.to_out[0](look(q, k, v, attn.heads))
    assert worst(attn(video.flatten(0, 1), frames=4), expected.flatten(0, 1)) <= 1e-5


def test_temp_attn_is_not_told_the_order_of_frames():
    """Neither mask nor positional encoding: shuffled frames give the same answers, shuffled."""
    attn, video, order = (
        attention(TemporalAttention),
        torch.randn(4, 6, 8),
        torch.tensor([2, 0, 3, 1]),
    )
    assert worst(attn(video[order], frames=4), attn(video, frames=4)[order]) <= 1e-6


# ---- GroupNorm, order


def pooled(norm: nn.GroupNorm, x: Tensor, frames: int) -> Tensor:
    """GroupNorm by its definition: mean and variance over a group's channels, all pixels, and all
    frames."""
    videos = []
    for video in x.split(frames):
        groups = [
            (g - g.mean()) / (g.var(unbiased=False) + norm.eps).sqrt()
            for g in video.chunk(norm.num_groups, 1)
        ]
        videos.append(torch.cat(groups, dim=1))
    return torch.cat(videos) * norm.weight[:, None, None] + norm.bias[:, None, None]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_group_norm_pools_over_frames(layout):
    torch.manual_seed(0)
    norm, x = (
        nn.GroupNorm(2, 6),
        torch.randn(6, 6, 4, 5) * torch.arange(1.0, 7)[:, None, None, None],
    )
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = x.contiguous(memory_format=layout)
    assert worst(group_norm(norm, x, frames=3), pooled(norm, x, 3)) <= 1e-5
    assert worst(group_norm(norm, x, frames=3), norm(x)) > 0.1


def test_resnet_block_pools_in_both_its_norms():
    torch.manual_seed(0)
    block, x, time = ResnetBlock2D(4, 8, 2, 1e-5, 5), torch.randn(3, 4, 6, 6), torch.randn(3, 5)
    x = x * torch.arange(1.0, 4)[:, None, None, None]
    silu = nn.functional.silu
    h = (
        block.conv1(silu(pooled(block.norm1, x, 3)))
        + block.time_emb_proj(silu(time))[:, :, None, None]
    )
    expected = block.conv_shortcut(x) + block.conv2(silu(pooled(block.norm2, h, 3)))
    assert worst(block(x, time, frames=3), expected) <= 1e-5


def test_which_norms_of_the_unet_pool():
    """A pooling norm sees one tall picture a video, (b, c, f*h, w); the transformer's sees (b*f, c,
    h, w)."""
    unet, rows = inflate(image_unet()), {}
    for name, module in unet.named_modules():
        if isinstance(module, nn.GroupNorm):
            module.register_forward_pre_hook(
                lambda _, given, name=name: rows.update({name: len(given[0])})
            )
    x, t, text = inputs(frames=3)
    unet(x, t, text, frames=3)
    assert {name for name, b in rows.items() if b == 6} == {n for n in rows if ".attentions." in n}
    assert {name for name, b in rows.items() if b == 2} == {n for n in rows if ".resnets." in n} | {
        "conv_norm_out"
    }


def test_transformer_norm_is_per_frame():
    transformer = next(m for m in image_unet().modules() if isinstance(m, Transformer2DModel))
    x, text = torch.randn(2, 8, 4, 4), torch.randn(1, 9, 12)
    before = transformer(x, text, frames=2)
    changed = torch.stack([x[0], x[1] * 3 + 1])
    assert torch.equal(transformer(changed, text, frames=2)[0], before[0])


def test_order_of_the_block():
    block = next(
        m for m in moved(inflate(image_unet())).modules() if isinstance(m, VideoTransformerBlock)
    )
    x, text = torch.randn(6, 10, 8), torch.randn(2, 9, 12)

    def self_attention(x):
        return x + block.attn1(block.norm1(x), 3)

    def cross(x):
        return x + torch.cat(
            [
                block.attn2(block.norm2(frame[None]), 1, text[i // 3, None])
                for i, frame in enumerate(x)
            ]
        )

    def feed_forward(x):
        return x + block.ff(block.norm3(x))

    def temporal(x):
        return x + block.attn_temp(block.norm_temp(x), 3)

    assert worst(block(x, text, 3), temporal(feed_forward(cross(self_attention(x))))) <= 1e-5
    assert worst(block(x, text, 3), feed_forward(temporal(cross(self_attention(x))))) > 1e-2
    assert worst(block(x, text, 3), temporal(feed_forward(self_attention(cross(x))))) > 1e-2


# ---- parameters, `inflate`


def published(unet: UNet2DConditionModel) -> list[str]:
    """What Tune-A-Video's recipe trains, spelled out, in the order of the modules."""
    blocks = [
        name for name, module in unet.named_modules() if isinstance(module, VideoTransformerBlock)
    ]
    layers = [
        "attn1.to_q.weight",
        "attn2.to_q.weight",
        "attn_temp.to_q.weight",
        "attn_temp.to_k.weight",
    ]
    layers += ["attn_temp.to_v.weight", "attn_temp.to_out.0.weight", "attn_temp.to_out.0.bias"]
    return [f"{block}.{layer}" for block in blocks for layer in layers]


def test_gradients_reach_exactly_the_published_parameters():
    unet = moved(inflate(image_unet()))
    chosen = trainable(unet)
    assert list(chosen) == published(unet)
    x, t, text = inputs(frames=3)
    unet(x, t, text, frames=3).square().mean().backward()
    reached = [name for name, parameter in unet.named_parameters() if parameter.grad is not None]
    assert reached == published(unet)
    assert all(parameter.grad.any() for parameter in chosen.values())


def test_norm_temp_is_frozen():
    """The published filter of names misses it, so that it stays at its initial value."""
    unet = inflate(image_unet())
    trainable(unet)
    norms = {name: p for name, p in unet.named_parameters() if ".norm_temp." in name}
    assert len(norms) == 2 * 11 and not any(p.requires_grad for p in norms.values())


def test_count_on_the_shapes_of_sd_14():
    with torch.device("meta"):
        unet = UNet2DConditionModel(**SD14)
    assert sum(p.numel() for p in unet.parameters()) == 859_520_964
    chosen = trainable(inflate(unet))
    assert sum(p.numel() for p in chosen.values()) == 74_354_880
    assert {p.device.type for p in unet.parameters()} == {"meta"}


def test_names_are_the_published_ones():
    image, video = image_unet().state_dict(), inflate(image_unet()).state_dict()
    assert all(torch.equal(video[name], value) for name, value in image.items())
    added = "|".join(
        ["norm_temp.weight", "norm_temp.bias"]
        + [f"attn_temp.to_{x}.weight" for x in ("q", "k", "v")]
    )
    added += "|attn_temp.to_out.0.weight|attn_temp.to_out.0.bias"
    block = r"(down_blocks\.[01]\.attentions\.[01]|mid_block\.attentions\.0"
    block += r"|up_blocks\.[12]\.attentions\.[012])"
    new = video.keys() - image.keys()
    assert len(new) == 11 * 7
    assert all(re.fullmatch(rf"{block}\.transformer_blocks\.0\.({added})", name) for name in new)


def test_inflating_twice_changes_nothing():
    unet = moved(inflate(image_unet()))
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    blocks = [m for m in unet.modules() if isinstance(m, VideoTransformerBlock)]
    assert inflate(unet) is unet
    assert [m for m in unet.modules() if isinstance(m, VideoTransformerBlock)] == blocks
    assert all(torch.equal(value, before[name]) for name, value in unet.state_dict().items())


def test_the_seed_fixes_what_is_drawn():
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        state = inflate(image_unet()).state_dict()
        drawn.append(
            torch.cat([state[name].flatten() for name in state if "attn_temp.to_q" in name])
        )
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_inflate_keeps_the_dtype_and_takes_over_the_weights_themselves():
    unet = image_unet().to(torch.bfloat16)
    before = {name: (p.data_ptr(), p.detach().clone()) for name, p in unet.named_parameters()}
    state = dict(inflate(unet).named_parameters())
    assert {p.dtype for p in state.values()} == {torch.bfloat16}
    for name, (pointer, value) in before.items():
        assert torch.equal(state[name], value), name
        assert state[name].data_ptr() == pointer, name
    x, t, text = inputs(frames=2)
    assert unet(x.bfloat16(), t, text.bfloat16(), frames=2).dtype == torch.bfloat16


def test_inflate_unfreezes_nothing():
    """What was frozen stays so, and in a frozen UNet what is new is frozen too."""
    frozen = inflate(image_unet().requires_grad_(False))
    assert not any(p.requires_grad for p in frozen.parameters())
    unet = image_unet().requires_grad_(False)
    chosen = {name for name, p in unet.named_parameters() if "attn1.to_q" in name}
    for name in chosen:
        unet.get_parameter(name).requires_grad_(True)
    old = set(unet.state_dict())
    found = {name for name, p in inflate(unet).named_parameters() if p.requires_grad}
    assert found & old == chosen
    assert found - old == set(unet.state_dict()) - old  # those of Temp-Attn


# ---- variants of the method


def test_plain_attention_can_be_handed_to_inflate():
    """With plain spatial attention and no Temp-Attn, each frame is treated as a picture alone."""
    _, _, text = inputs(3)
    pictures, video = image_unet(), inflate(image_unet(), spatial=Attention, temporal=None)
    blocks = [m for m in video.modules() if isinstance(m, VideoTransformerBlock)]
    assert blocks and all(type(block.attn1) is Attention for block in blocks)
    assert not any("temp" in name for name in video.state_dict())
    block = blocks[0]
    plain = next(m for m in pictures.modules() if isinstance(m, BasicTransformerBlock))
    tokens = torch.randn(6, 5, block.norm1.weight.shape[0])
    assert torch.equal(block(tokens, text, 3), plain(tokens, text, 3))


class Gated(SparseCausalAttention):
    """A variant with a parameter, and a layer, that the attention it replaces has not."""

    def __init__(self, dim: int, heads: int):
        super().__init__(dim, heads)
        self.gate = nn.Parameter(torch.full((dim,), 0.5))
        self.to_gate = nn.Linear(dim, dim)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        return self.gate * torch.sigmoid(self.to_gate(x)) * super().forward(x, frames)


def test_a_variant_may_have_more_parameters_than_what_it_replaces():
    unet = inflate(image_unet().to(torch.bfloat16), spatial=Gated)
    layers = [m for m in unet.modules() if isinstance(m, Gated)]
    image = image_unet().to(torch.bfloat16).state_dict()
    assert len(layers) == 11 and all((layer.gate == 0.5).all() for layer in layers)
    assert {p.dtype for p in unet.parameters()} == {torch.bfloat16}
    assert all(torch.equal(unet.state_dict()[name], value) for name, value in image.items())
    x, t, text = inputs(frames=3)
    assert unet(x.bfloat16(), t, text.bfloat16(), frames=3).isfinite().all()
    names = [name for name in unet.state_dict() if "gate" in name]
    assert len(names) == 3 * 11  # the gate, and the layer's weight and bias


@pytest.mark.parametrize("spatial", [Attention, Gated])
def test_temp_attn_begins_the_same_with_any_spatial_attention(spatial):
    """So that what two variants differ in is not the draw."""
    states = []
    for kind in (SparseCausalAttention, spatial):
        torch.manual_seed(0)
        states.append(inflate(image_unet(), spatial=kind).state_dict())
    temporal = [name for name in states[0] if "attn_temp" in name]
    assert temporal and all(torch.equal(states[0][name], states[1][name]) for name in temporal)


def test_a_variant_stays_when_it_is_inflated_again():
    """So `Tuning`, which inflates, tunes the variant that it is given."""
    video = inflate(image_unet(), temporal=None)
    kept = [m for m in video.modules() if isinstance(m, VideoTransformerBlock)]
    inflate(video)
    assert [m for m in video.modules() if isinstance(m, VideoTransformerBlock)] == kept

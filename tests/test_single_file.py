"""The original layout: loads as the folder does, and every real name and shape is where tav looks for it.

tests/data/single_file.json lists the real files' tensors block by block, independently of tav/single_file.py.
"""

import json
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tav import single_file
from tav.errors import UserError
from tav.text import CLIPTextModel
from tav.unet import UNet2DConditionModel
from tav.vae import AutoencoderKL
from tav.weights import PARTS, Undrawn, load

LAYOUT = json.loads((Path(__file__).parent / "data" / "single_file.json").read_text(encoding="utf-8"))
PREFIX = {"unet": "model.diffusion_model.", "vae": "first_stage_model."}

Row = tuple[str, tuple[int, ...], str, int | None]  # their name, its shape, our name, which third of it


# ------------------------------------------------------------------------------------------ the manifest


def rows(theirs: str, ours: str, kind: str, i: int, o: int, sd2: bool) -> list[Row]:
    """All tensors of one block or layer of the list."""
    kind = {"P": "linear" if sd2 else "conv1"}.get(kind, kind)
    if kind not in LAYOUT["kinds"]:
        shape = {"norm": (o,), "conv1": (o, i, 1, 1), "conv3": (o, i, 3, 3)}.get(kind, (o, i))
        dot = "" if kind == "fused" else "."
        found = [(f"{theirs}{dot}weight", shape, f"{ours}.weight")]
        found += [] if kind == "matrix" else [(f"{theirs}{dot}bias", (o,), f"{ours}.bias")]
        return [(*row, None) for row in found]
    found, widths = [], {"i": i, "o": o, "3o": 3 * o, "4o": 4 * o, "8o": 8 * o, "t": 1024 if sd2 else 768}
    for their, (our, what, *ends) in LAYOUT["kinds"][kind].items():
        if our == "conv_shortcut" and i == o:
            continue
        ends = [widths.get(end, end) for end in ends]
        for third, name in enumerate(our.split()):
            part = rows(f"{theirs}.{their}", f"{ours}.{name}", what, *ends, sd2)
            found += [(*row[:3], third if what == "fused" else None) for row in part]
    return found


def manifest(sd2: bool) -> dict[str, list[Row]]:
    """Every tensor of a real file that counts, by part."""
    parts = {}
    for part, prefix in PREFIX.items():
        blocks = LAYOUT[part].items()
        parts[part] = [row for theirs, block in blocks for row in rows(prefix + theirs, *block, sd2)]
    tower = "cond_stage_model.model." if sd2 else "cond_stage_model.transformer.text_model."
    names = ["token_embedding.weight", "positional_embedding", "transformer.resblocks", "ln_final"]
    if not sd2:
        names = ["embeddings.token_embedding.weight", "embeddings.position_embedding.weight", "encoder.layers"]
        names.append("final_layer_norm")
    tokens, positions, layers, norm = (tower + name for name in names)
    d = 1024 if sd2 else 768
    text = [(tokens, (49408, d), "text_model.embeddings.token_embedding.weight", None)]
    text += [(positions, (77, d), "text_model.embeddings.position_embedding.weight", None)]
    for i in range(23 if sd2 else 12):
        ours = f"text_model.encoder.layers.{i}"
        text += rows(f"{layers}.{i}", ours, "openclip" if sd2 else "cliplayer", d, d, sd2)
    parts["text_encoder"] = text + rows(norm, "text_model.final_layer_norm", "norm", d, d, sd2)
    return parts


def unused(sd2: bool) -> dict[str, tuple[int, ...]]:
    """What a real file holds besides."""
    extras = dict.fromkeys(LAYOUT["extras"]["sd1"], (1000,))
    if sd2:
        extras |= dict.fromkeys(LAYOUT["extras"]["sd2"], (1024, 1024))
        last = rows("cond_stage_model.model.transformer.resblocks.23", "", "openclip", 1024, 1024, sd2)
        return extras | {row[0]: row[1] for row in last}
    return extras | {"cond_stage_model.transformer.text_model.embeddings.position_ids": (1, 77)}


def full_size(sd2: bool) -> dict[str, nn.Module]:
    """Our modules with the published sizes, on the meta device."""
    text = {"vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12}
    text |= {"num_attention_heads": 12, "hidden_act": "quick_gelu"}
    if sd2:
        text |= {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16}
        text |= {"hidden_act": "gelu"}
    unet = {"block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "linear_projection": sd2}
    unet |= {"heads": [5, 10, 20, 20] if sd2 else [8] * 4, "attentive": [True, True, True, False]}
    with torch.device("meta"), Undrawn():
        return {
            "text_encoder": CLIPTextModel(**text),
            "vae": AutoencoderKL(block_out_channels=[128, 256, 512, 512], layers_per_block=2),
            "unet": UNet2DConditionModel(**unet, cross_attention_dim=1024 if sd2 else 768),
        }


def published_shapes(sd2: bool) -> dict[str, list[int]]:
    """Name and shape of everything in a real file."""
    shapes = {row[0]: row[1] for part in manifest(sd2).values() for row in part} | unused(sd2)
    return {name: list(shape) for name, shape in shapes.items()}


def test_the_list_is_as_long_as_the_real_files():
    sd1 = {part: {row[0] for row in rows} for part, rows in manifest(sd2=False).items()}
    assert {part: len(names) for part, names in sd1.items()} == {"unet": 686, "vae": 248, "text_encoder": 196}
    assert sum(map(len, sd1.values())) + 1 == 1131  # and position_ids
    sd2 = {part: {row[0] for row in rows} for part, rows in manifest(sd2=True).items()}
    assert {part: len(names) for part, names in sd2.items()} == {"unet": 686, "vae": 248, "text_encoder": 23 * 12 + 4}


@pytest.mark.parametrize("sd2", [False, True])
def test_sizes_follow_from_the_shapes(sd2):
    sizes, modules = single_file.sizes(published_shapes(sd2)), full_size(sd2)
    assert sizes["unet"]["heads"] == ([5, 10, 20, 20] if sd2 else [8] * 4)
    assert sizes["text_encoder"]["num_attention_heads"] == (16 if sd2 else 12)
    assert sizes["text_encoder"]["hidden_act"] == ("gelu" if sd2 else "quick_gelu")
    with torch.device("meta"), Undrawn():
        for part, build in PARTS.items():
            ours, expected = build(**sizes[part]).state_dict(), modules[part].state_dict()
            assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in expected.items()}


@pytest.mark.parametrize("sd2", [False, True])
@pytest.mark.parametrize("part", PARTS)
def test_every_real_tensor_is_where_we_look_for_it(part, sd2):
    """One to one, by name and by shape; and what is in the file besides is ignored knowingly, by name."""
    state = full_size(sd2)[part].state_dict()
    listed = {ours: (theirs, third) for theirs, _, ours, third in manifest(sd2)[part]}
    sizes = single_file.sizes(published_shapes(sd2))
    assert {name: single_file.source(part, name, sizes) for name in state} == listed
    for _, shape, ours, third in manifest(sd2)[part]:
        shape = shape if third is None else (shape[0] // 3, *shape[1:])
        in_vae_attention = part == "vae" and ".attentions." in ours
        assert tuple(state[ours].shape) == (shape[:2] if in_vae_attention and len(shape) == 4 else shape), ours


@pytest.mark.parametrize("sd2", [False, True])
def test_what_is_ignored_and_nothing_else(sd2):
    ignored = {name for name in published_shapes(sd2) if single_file.IGNORED.match(name)}
    assert ignored == unused(sd2).keys()
    assert len(ignored) == (16 + 2 + 12 if sd2 else 16 + 1)


# ------------------------------------------------------------------------------------------- round trip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[bool, tuple[Path, Path]]:
    """The same tiny weights in both layouts, for SD 1 and SD 2."""
    at = tmp_path_factory.mktemp("layouts")
    names = {False: "sd1", True: "sd2"}
    return {sd2: (tiny.folder(at / n, sd2), tiny.single_file(at / f"{n}.safetensors", sd2)) for sd2, n in names.items()}


def equal(a: nn.Module, b: nn.Module) -> bool:
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("sd2", [False, True])
def test_both_layouts_load_to_the_same_modules(made, sd2):
    a, b = (load(path) for path in made[sd2])
    original = tiny.modules(sd2)
    for part in PARTS:
        assert equal(getattr(a, part), getattr(b, part)) and equal(getattr(a, part), original[part])
    assert a.schedule.prediction_type == b.schedule.prediction_type == ("v_prediction" if sd2 else "epsilon")
    heads = [[m.heads for m in model.unet.modules() if hasattr(m, "heads")] for model in (a, b)]
    assert heads[0] == heads[1] and set(heads[0]) == {1 if sd2 else 8}
    assert torch.equal(a.embed("a man is skiing"), b.embed("a man is skiing"))
    assert b.size == (768 if sd2 else 512)


def test_in_half_precision(made):
    model = load(made[True][1], dtype=torch.float16)
    assert {p.dtype for part in PARTS for p in getattr(model, part).parameters()} == {torch.float16}


# ---------------------------------------------------------------------------------------------- refusals


def changed(path: Path, at: Path, drop: str = "", metadata: dict | None = None, **more: torch.Tensor) -> Path:
    tensors = load_file(path) | more
    save_file({name: tensor for name, tensor in tensors.items() if name != drop}, at, metadata)
    return at


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_a_strange_and_a_misshapen_tensor_are_named(made, tmp_path):
    sd1, at = made[False][1], tmp_path / "changed.safetensors"
    name = "model.diffusion_model.input_blocks.1.0.in_layers.0.weight"
    assert "1 tensor (down_blocks.0.resnets.0.norm1.weight) missing" in refused(changed(sd1, at, drop=name))
    assert "1 tensor (control_model.x) unexpected" in refused(changed(sd1, at, **{"control_model.x": torch.zeros(1)}))
    message = refused(changed(sd1, at, **{name: torch.zeros(3)}))
    assert "1 tensor (down_blocks.0.resnets.0.norm1.weight (3,) instead of (64,)) of the wrong shape" in message


def test_a_file_of_another_kind_is_refused(tmp_path):
    save_file({"lora_unet.alpha": torch.zeros(1)}, tmp_path / "lora.safetensors")
    assert "no tensor" in refused(tmp_path / "lora.safetensors")
    assert "is it a whole Stable Diffusion 1.x or 2.x file?" in refused(tmp_path / "lora.safetensors")


def test_an_inpainting_file_is_refused(made, tmp_path):
    wide = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(64, 9, 3, 3)}
    assert "an inpainting UNet" in refused(changed(made[False][1], tmp_path / "inpaint.safetensors", **wide))


@pytest.mark.parametrize(
    "name, metadata, expected",
    [
        ("v2-1_768-ema-pruned", {}, "v_prediction"),
        ("768-v-ema", {}, "v_prediction"),
        ("v2-1_512-ema-pruned", {}, "epsilon"),
        ("512-base-ema", {}, "epsilon"),
        ("mine", {"modelspec.prediction_type": "v"}, "v_prediction"),
        ("mine-768", {"modelspec.prediction_type": "epsilon"}, "epsilon"),
        ("mine-base", {"modelspec.prediction_type": "v"}, "v_prediction"),
    ],
)
def test_what_sd2_predicts_is_told_by_metadata_or_name(name, metadata, expected):
    assert single_file.prediction_type(published_shapes(True), metadata, Path(f"{name}.safetensors")) == expected
    assert single_file.prediction_type(published_shapes(False), metadata, Path("any.safetensors")) == "epsilon"


def test_an_sd2_file_that_does_not_tell_is_refused(made, tmp_path):
    assert "put 768 or base into its name" in refused(changed(made[True][1], tmp_path / "mine.safetensors"))

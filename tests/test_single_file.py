"""The original layout: loads as the folder does, and every real name and shape is where tav looks
for it.

tests/data/single_file.json lists the real files' tensors block by block, independently of
tav/io/single_file.py.
"""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tav.io import single_file
from tav.io.cli import UserError
from tav.io.files import CONFIGS, STEMS, arguments
from tav.io.vocabulary import CLIP_TOKENIZER
from tav.io.weights import PARTS, fill, load
from tav.text import CLIPTextModel, quick_gelu
from tav.unet import UNet2DConditionModel
from tav.vae import AutoencoderKL

LAYOUT = json.loads(
    (Path(__file__).parent / "data" / "single_file.json").read_text(encoding="utf-8")
)
PUBLISHED = {False: single_file.SD1, True: single_file.SD2}
PREFIX = {"unet": "model.diffusion_model.", "vae": "first_stage_model."}

# their name, its shape, our name, which third of it
Row = tuple[str, tuple[int, ...], str, int | None]


# ------------------------------------------------------------------------------------------ the
# manifest


def rows(theirs: str, ours: str, kind: str, i: int, o: int, sd2: bool) -> list[Row]:
    """All tensors of one block or layer of the list."""
    kind = {"P": "linear" if sd2 else "conv1"}.get(kind, kind)
    if kind not in LAYOUT["kinds"]:
        shape = {"norm": (o,), "conv1": (o, i, 1, 1), "conv3": (o, i, 3, 3)}.get(kind, (o, i))
        dot = "" if kind == "fused" else "."
        found = [(f"{theirs}{dot}weight", shape, f"{ours}.weight")]
        found += [] if kind == "matrix" else [(f"{theirs}{dot}bias", (o,), f"{ours}.bias")]
        return [(*row, None) for row in found]
    found, widths = (
        [],
        {"i": i, "o": o, "3o": 3 * o, "4o": 4 * o, "8o": 8 * o, "t": 1024 if sd2 else 768},
    )
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
        parts[part] = [
            row for theirs, block in blocks for row in rows(prefix + theirs, *block, sd2)
        ]
    tower = "cond_stage_model.model." if sd2 else "cond_stage_model.transformer.text_model."
    names = ["token_embedding.weight", "positional_embedding", "transformer.resblocks", "ln_final"]
    if not sd2:
        names = [
            "embeddings.token_embedding.weight",
            "embeddings.position_embedding.weight",
            "encoder.layers",
        ]
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
        last = rows(
            "cond_stage_model.model.transformer.resblocks.23", "", "openclip", 1024, 1024, sd2
        )
        return extras | {row[0]: row[1] for row in last}
    return extras | {"cond_stage_model.transformer.text_model.embeddings.position_ids": (1, 77)}


def full_size(sd2: bool) -> dict[str, nn.Module]:
    """Our modules with the published sizes, on the meta device."""
    text = {
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
    }
    text |= {"num_attention_heads": 12, "hidden_act": "quick_gelu"}
    if sd2:
        text |= {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 23,
            "num_attention_heads": 16,
        }
        text |= {"hidden_act": "gelu"}
    unet = {"block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2}
    unet |= {"heads": [5, 10, 20, 20] if sd2 else [8] * 4, "attentive": [True, True, True, False]}
    with torch.device("meta"):
        return {
            "text_encoder": CLIPTextModel(**text),
            "vae": AutoencoderKL(
                [128, 256, 512, 512], layers_per_block=2, norm_num_groups=32, scaling_factor=0.18215
            ),
            "unet": UNet2DConditionModel(**unet, cross_attention_dim=1024 if sd2 else 768),
        }


def published_shapes(sd2: bool) -> dict[str, list[int]]:
    """Name and shape of everything in a real file."""
    shapes = {row[0]: row[1] for part in manifest(sd2).values() for row in part} | unused(sd2)
    return {name: list(shape) for name, shape in shapes.items()}


def test_the_list_is_as_long_as_the_real_files():
    sd1 = {part: {row[0] for row in rows} for part, rows in manifest(sd2=False).items()}
    assert {part: len(names) for part, names in sd1.items()} == {
        "unet": 686,
        "vae": 248,
        "text_encoder": 196,
    }
    assert sum(map(len, sd1.values())) + 1 == 1131  # and position_ids
    sd2 = {part: {row[0] for row in rows} for part, rows in manifest(sd2=True).items()}
    assert {part: len(names) for part, names in sd2.items()} == {
        "unet": 686,
        "vae": 248,
        "text_encoder": 23 * 12 + 4,
    }


def built(raw: dict[str, dict]) -> dict[str, nn.Module]:
    """Modules of the sizes that the configs say, randomly initialised."""
    torch.manual_seed(0)
    return {part: build(**arguments(part, raw[part])) for part, build in PARTS.items()}


@pytest.mark.parametrize("sd2", [False, True])
def test_the_published_sizes(sd2):
    with torch.device("meta"):
        ours, modules = built(PUBLISHED[sd2]), full_size(sd2)
    for part in PARTS:
        state, expected = ours[part].state_dict(), modules[part].state_dict()
        assert {n: t.shape for n, t in state.items()} == {n: t.shape for n, t in expected.items()}
        heads = [
            [m.heads for m in module.modules() if hasattr(m, "heads")]
            for module in (ours[part], modules[part])
        ]
        assert heads[0] == heads[1] and (heads[0] or part == "vae")
    act = torch.nn.functional.gelu if sd2 else quick_gelu
    assert ours["text_encoder"].text_model.encoder.layers[0].mlp.act is act


@pytest.mark.parametrize("sd2", [False, True])
def test_every_real_tensor_gets_the_name_we_expect(sd2):
    """One to one, each by its name alone."""
    for part, listed in manifest(sd2).items():
        for theirs, shape, ours, third in listed:
            found = [
                name
                for name, _ in single_file.renamed([(theirs, torch.empty(shape, device="meta"))])
            ]
            assert (found[0] if third is None else found[third]) == f"{part}.{ours}"
            assert len(found) == (1 if third is None else 3)


@pytest.mark.parametrize("sd2", [False, True])
def test_a_real_file_fills_the_whole_model(sd2):
    """By name and by shape, with nothing missing or left over. On the meta device: no memory to
    speak of."""
    modules = nn.ModuleDict(full_size(sd2))
    file = {
        name: torch.empty(shape, device="meta") for name, shape in published_shapes(sd2).items()
    }
    assert len(file) == (1244 if sd2 else 1147)
    fill(modules, single_file.renamed(file.items()), "meta", torch.float32, "")


@pytest.mark.parametrize("sd2", [False, True])
def test_what_is_ignored_and_nothing_else(sd2):
    ignored = {name for name in published_shapes(sd2) if single_file.IGNORED.match(name)}
    assert ignored == unused(sd2).keys()
    assert len(ignored) == (16 + 2 + 12 if sd2 else 16 + 1)


# ------------------------------------------------------------------------------------------- round
# trip


def narrow(sd2: bool) -> dict[str, dict]:
    """SD1 or SD2 with as many blocks as published and few channels, so that every name is a real
    one."""
    raw = PUBLISHED[sd2]
    text = {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 1}
    return raw | {
        "text_encoder": raw["text_encoder"] | text,
        "vae": raw["vae"] | {"block_out_channels": [32, 64, 96, 96]},
        "unet": raw["unet"]
        | {
            "block_out_channels": [40, 80, 120, 120],  # which 5, 8, 10 and 20 heads divide
            "norm_num_groups": 8,
            "cross_attention_dim": 64,
        },
    }


NARROW = {sd2: narrow(sd2) for sd2 in (False, True)}


@pytest.fixture(autouse=True)
def narrowed(monkeypatch):
    monkeypatch.setattr(single_file, "SD1", NARROW[False])
    monkeypatch.setattr(single_file, "SD2", NARROW[True])


def write_folder(at: Path, sd2: bool, modules: dict[str, nn.Module]) -> Path:
    """The diffusers layout."""
    scheduler = {"prediction_type": "v_prediction" if sd2 else "epsilon"}
    size = {"sample_size": 96 if sd2 else 64}
    for part, config in (NARROW[sd2] | {"scheduler": scheduler}).items():
        (at / part).mkdir(parents=True)
        (at / CONFIGS[part]).write_text(json.dumps(config | (size if part == "unet" else {})))
    for part, module in modules.items():
        save_file(module.state_dict(), at / f"{STEMS[part]}.safetensors")
    (at / "tokenizer").mkdir()
    for name in ("vocab.json", "merges.txt"):
        (at / "tokenizer" / name).symlink_to((CLIP_TOKENIZER / name).resolve())
    if sd2:  # as published
        (at / "tokenizer" / "special_tokens_map.json").write_text('{"pad_token": "!"}')
    return at


def write_single_file(at: Path, sd2: bool, modules: dict[str, nn.Module]) -> Path:
    """The original layout, as the list has it."""
    tensors: dict[str, torch.Tensor] = {}
    for part, listed in manifest(sd2).items():
        state = modules[part].state_dict()
        for theirs, shape, ours, third in listed:
            tensor = state[ours]
            # 1x1 convolutions
            tensor = tensor.view(*tensor.shape, *[1] * (len(shape) - tensor.ndim))
            tensors[theirs] = torch.cat([tensors[theirs], tensor]) if third else tensor
    tensors |= {name: torch.zeros(1) for name in unused(sd2)} | {"model_ema.decay": torch.zeros(1)}
    save_file(tensors, at, {"modelspec.prediction_type": "v"} if sd2 else None)
    return at


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[bool, tuple[dict[str, nn.Module], Path, Path]]:
    """Modules, and both layouts of the same weights, for SD 1 and SD 2."""
    at, found = tmp_path_factory.mktemp("layouts"), {}
    for sd2, name in {False: "sd1", True: "sd2"}.items():
        modules = built(NARROW[sd2])
        single = write_single_file(at / f"{name}.safetensors", sd2, modules)
        found[sd2] = (modules, write_folder(at / name, sd2, modules), single)
    return found


def equal(a: nn.Module, b: nn.Module) -> bool:
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("sd2", [False, True])
def test_both_layouts_load_to_the_same_model(made, sd2):
    original, a, b = made[sd2][0], *map(load, made[sd2][1:])
    for part in PARTS:
        assert equal(getattr(a, part), getattr(b, part)) and equal(getattr(a, part), original[part])
    assert (
        a.schedule.prediction_type
        == b.schedule.prediction_type
        == ("v_prediction" if sd2 else "epsilon")
    )
    heads = [[m.heads for m in model.unet.modules() if hasattr(m, "heads")] for model in (a, b)]
    assert heads[0] == heads[1] and set(heads[0]) == ({5, 10, 20} if sd2 else {8})
    assert torch.equal(a.embed("a man is skiing"), b.embed("a man is skiing"))
    assert (
        a.tokenizer("a").flatten()[-1]
        == b.tokenizer("a").flatten()[-1]
        == (0 if sd2 else a.tokenizer.end)
    )
    assert a.size == b.size == (768 if sd2 else 512)


def test_in_half_precision(made):
    model = load(made[True][2], dtype=torch.float16)
    assert {p.dtype for p in model.unet.parameters()} == {torch.float16}
    # The VAE overflows in half precision, and both run once.
    once = [*model.vae.parameters(), *model.text_encoder.parameters()]
    assert {p.dtype for p in once} == {torch.float32}
    assert model.embed("a man").dtype == torch.float16  # as the UNet takes it


# ----------------------------------------------------------------------------------------------
# refusals


def changed(path: Path, at: Path, drop: str = "", **more: torch.Tensor) -> Path:
    tensors = load_file(path) | more
    save_file({name: tensor for name, tensor in tensors.items() if name != drop}, at)
    return at


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_a_strange_and_a_misshapen_tensor_are_named(made, tmp_path):
    sd1, at = made[False][2], tmp_path / "changed.safetensors"
    name = "model.diffusion_model.input_blocks.1.0.in_layers.0.weight"
    assert ": unet.down_blocks.0.resnets.0.norm1.weight is missing;" in refused(
        changed(sd1, at, drop=name)
    )
    stranger = "control_model.input_blocks.0.0.weight"
    assert f": {stranger} is unexpected;" in refused(changed(sd1, at, **{stranger: torch.zeros(1)}))
    message = refused(changed(sd1, at, **{name: torch.zeros(3)}))
    assert ": unet.down_blocks.0.resnets.0.norm1.weight is (3,) instead of (40,);" in message


def test_a_misshapen_fused_tensor_is_named(made, tmp_path):
    fused = "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_bias"
    message = refused(
        changed(made[True][2], tmp_path / "base.safetensors", **{fused: torch.zeros(2)})
    )
    layer = "text_encoder.text_model.encoder.layers.0.self_attn"
    assert (
        f": {layer}.q_proj.bias is (1,) instead of (64,), {layer}.k_proj.bias is (1,) instead"
        in message
    )


def test_a_file_of_another_kind_is_refused(tmp_path):
    save_file({"model.layers.0.weight": torch.zeros(1)}, tmp_path / "words.safetensors")
    message = refused(tmp_path / "words.safetensors")
    first = "text_encoder.text_model.embeddings.token_embedding.weight is missing, "
    assert first in message and "and 1,128 more; there is no VAE in it" in message


def test_an_inpainting_file_is_refused(made, tmp_path):
    wide = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(40, 9, 3, 3)}
    message = refused(changed(made[False][2], tmp_path / "inpaint.safetensors", **wide))
    assert "unet.conv_in.weight is (40, 9, 3, 3) instead of (40, 4, 3, 3);" in message


# ------------------------------------------------------------------------------------------- what
# a file says of itself


def small(path: Path, sd2: bool, metadata: dict | None = None, *more: str) -> Path:
    """A file with no more of SD 1 or SD 2 than tells which one it is, and the tensors `more`."""
    name = "cond_stage_model.model.ln_final.bias" if sd2 else "cond_stage_model.transformer.x"
    save_file({key: torch.zeros(0) for key in (name, *more)}, path, metadata)
    return path


KOHYA, COMFYUI = "modelspec.prediction_type", "modelspec.predict_key"
ARCHITECTURE = "modelspec.architecture"


@pytest.mark.parametrize("sd2", [False, True])
@pytest.mark.parametrize(
    "name, metadata, expected",
    [
        ("mine", {KOHYA: "v"}, "v_prediction"),
        ("mine-base-512", {KOHYA: "v"}, "v_prediction"),
        ("mine-768-vpred", {KOHYA: "epsilon"}, "epsilon"),
        ("mine", {COMFYUI: "v"}, "v_prediction"),
        ("mine-768", {COMFYUI: "epsilon"}, "epsilon"),
        ("mine-base", {ARCHITECTURE: "stable-diffusion-v2-768-v", KOHYA: "v"}, "v_prediction"),
        ("mine-vpred", {}, "v_prediction"),
        ("mine-base_v-prediction", {}, "v_prediction"),
    ],
)
def test_what_is_predicted_is_told_by_metadata_or_name(name, metadata, expected, sd2, tmp_path):
    found = single_file.configs(small(tmp_path / f"{name}.safetensors", sd2, metadata))
    assert found["scheduler"] == {"prediction_type": expected}
    side = {"sample_size": 96 if expected == "v_prediction" else 64} if sd2 else {}
    assert found["unet"] == NARROW[sd2]["unet"] | side


@pytest.mark.parametrize(
    "name, metadata, expected",
    [
        ("v2-1_768-ema-pruned", {}, "v_prediction"),
        ("768-v-ema", {}, "v_prediction"),
        ("v2-1_512-ema-pruned", {}, "epsilon"),
        ("512-base-ema", {}, "epsilon"),
        ("sd_turbo", {}, "epsilon"),
        ("mine-base", {ARCHITECTURE: "stable-diffusion-v2-768-v"}, "v_prediction"),
        ("mine-768", {ARCHITECTURE: "stable-diffusion-v2-512"}, "epsilon"),
    ],
)
def test_of_an_sd2_the_architecture_or_the_name_may_tell(name, metadata, expected, tmp_path):
    found = single_file.configs(small(tmp_path / f"{name}.safetensors", True, metadata))
    assert found["scheduler"] == {"prediction_type": expected}


@pytest.mark.parametrize(
    "name, metadata",
    [("mine", {}), ("mine-768", {}), ("modelv2predator", {}), ("x", {ARCHITECTURE: "sd-v1-768"})],
)
def test_an_sd1_that_says_nothing_predicts_epsilon(name, metadata, tmp_path):
    found = single_file.configs(small(tmp_path / f"{name}.safetensors", False, metadata))
    assert found["scheduler"] == {"prediction_type": "epsilon"}


@pytest.mark.parametrize("sd2", [False, True])
def test_the_mark_of_comfyui_is_read_and_is_no_weight(made, tmp_path, sd2):
    """An empty tensor `v_pred`, without metadata."""
    tensors = load_file(made[sd2][2]) | {"v_pred": torch.zeros(0)}
    save_file(tensors, tmp_path / "mine.safetensors")
    model = load(tmp_path / "mine.safetensors")
    assert model.schedule.prediction_type == "v_prediction"
    assert model.size == (768 if sd2 else 512)


def test_an_sd1_with_v_prediction_is_another_model_than_one_without(made, tmp_path):
    tensors = load_file(made[False][2])
    save_file(tensors, tmp_path / "v.safetensors", {KOHYA: "v"})
    save_file(tensors, tmp_path / "e.safetensors", {KOHYA: "epsilon"})
    v, epsilon = load(tmp_path / "v.safetensors"), load(tmp_path / "e.safetensors")
    assert v.schedule.prediction_type == "v_prediction" and v.hash != epsilon.hash
    assert epsilon.schedule.prediction_type == "epsilon"


def test_what_a_file_says_and_is_unknown_here_is_refused(tmp_path):
    message = refused(small(tmp_path / "a.safetensors", False, {KOHYA: "flow"}))
    assert "predicts 'flow', unknown here;" in message
    message = refused(small(tmp_path / "b.safetensors", False, {}, "v_pred", "ztsnr"))
    assert "zero terminal SNR" in message
    message = refused(small(tmp_path / "c.safetensors", True, {}, "conditioner.embedders.1.x"))
    assert "Stable Diffusion XL;" in message


def test_an_sd2_file_that_does_not_tell_is_refused(tmp_path):
    message = refused(small(tmp_path / "v2.safetensors", True, {}))
    assert "; put 768 (predicts v) or base (predicts epsilon) into its name" in message


def test_the_single_file_of_sd_21_turbo_loads(made, tmp_path):
    """Its text encoder is called as SDXL's second one is; it predicts epsilon."""
    theirs, ours = "conditioner.embedders.0.model.", "cond_stage_model.model."
    tensors = {name.replace(ours, theirs): t for name, t in load_file(made[True][2]).items()}
    save_file(tensors | {"denoiser.sigmas": torch.zeros(1000)}, tmp_path / "sd_turbo.safetensors")
    model = load(tmp_path / "sd_turbo.safetensors")
    for part in PARTS:
        assert equal(getattr(model, part), made[True][0][part])
    assert model.schedule.prediction_type == "epsilon" and model.size == 512
    assert model.tokenizer("a").flatten()[-1] == 0


@pytest.mark.parametrize(
    "prefix, words",
    [("first_stage_model.", "VAE"), ("cond_stage_", "text encoder"), ("model.diff", "UNet")],
)
def test_a_part_that_is_not_in_the_file_is_named(made, tmp_path, prefix, words):
    tensors = load_file(made[False][2])
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(prefix)}
    save_file(kept, tmp_path / "cut.safetensors")
    assert f"there is no {words} in it, so take" in refused(tmp_path / "cut.safetensors")


def test_a_lora_is_called_that(tmp_path):
    names = ["lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", "lora_te.alpha"]
    save_file({name: torch.zeros(1) for name in names}, tmp_path / "style.safetensors")
    message = refused(tmp_path / "style.safetensors")
    assert "it is a LoRA or another adapter; merge it into its model first" in message

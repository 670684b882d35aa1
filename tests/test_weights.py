"""Loading: every age of the diffusers layout, every fault named in one line, no more memory than
the file."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from tav.io import devices
from tav.io.cli import UserError
from tav.io.devices import default_dtype, resolve
from tav.io.files import arguments
from tav.io.weights import PARTS, load, load_clip
from tav.schedule import Schedule
from tav.unet import UNet2DConditionModel

ROOT = Path(__file__).parents[1]
CONFIGS = json.loads((ROOT / "tests" / "data" / "configs.json").read_text(encoding="utf-8"))
UNET, VAE = "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"
TEXT = "text_encoder/model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("weights") / "sd1")


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    """A copy to spoil; the files are links: `write` must replace them, not write into them."""
    return shutil.copytree(whole, tmp_path / "sd", copy_function=os.link, symlinks=True)


def write(file: Path, content: bytes | str | dict) -> None:
    file.unlink(missing_ok=True)
    content = json.dumps(content) if isinstance(content, dict) else content
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def edit(file: Path, change: Callable[[dict], dict | None], to: Path | None = None) -> None:
    """Apply `change` to the tensors of a safetensors file or to the object of a JSON file."""
    values = load_file(file) if file.suffix == ".safetensors" else json.loads(file.read_text())
    values = change(values) or values
    file.unlink()
    if file.suffix == ".safetensors":
        save_file({name: value.clone() for name, value in values.items()}, to or file)
    else:
        write(to or file, values)


def same(a: object, b: object) -> bool:
    """Whether two models have the same weights, bit for bit."""
    states = [(getattr(a, part).state_dict(), getattr(b, part).state_dict()) for part in PARTS]
    return all(x.keys() == y.keys() and all(torch.equal(x[n], y[n]) for n in x) for x, y in states)


def refused(path: Path | str, **options) -> str:
    with pytest.raises(UserError) as caught:
        load(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------------------------- files of
# every age


@pytest.fixture(scope="module")
def model(whole):
    return load(whole)


def test_the_folder_loads_exactly_and_frozen(whole, model):
    made = tiny.modules()
    assert same(model, SimpleNamespace(**made))
    parameters = [p for part in PARTS for p in getattr(model, part).parameters()]
    assert not any(p.requires_grad or p.is_meta for p in parameters)
    assert not any(m.training for part in PARTS for m in getattr(model, part).modules())
    assert (model.path, model.size, model.defaults) == (str(whole), 16, {})
    assert (model.device, model.dtype) == (torch.device("cpu"), torch.float32)


def old_vae(tensors: dict) -> dict:
    """As the VAEs of 2022 call their attention."""
    for new, old in {
        "to_q": "query",
        "to_k": "key",
        "to_v": "value",
        "to_out.0": "proj_attn",
    }.items():
        tensors = {
            name.replace(f"attentions.0.{new}.", f"attentions.0.{old}."): t
            for name, t in tensors.items()
        }
    return tensors


def convolved(tensors: dict) -> dict:
    """With 1x1 convolutions for the attention's linear layers."""
    inside = [n for n in tensors if ".attentions.0.to_" in n and n.endswith("weight")]
    assert len(inside) == 2 * 4
    return tensors | {name: tensors[name][:, :, None, None] for name in inside}


AGES = {
    "old names in the VAE": (VAE, old_vae),
    "1x1 convolutions in the VAE": (VAE, convolved),
    "both": (VAE, lambda tensors: old_vae(convolved(tensors))),
    "no text_model.": (
        TEXT,
        lambda tensors: {n.removeprefix("text_model."): t for n, t in tensors.items()},
    ),
    "position_ids": (
        TEXT,
        lambda tensors: tensors | {"text_model.embeddings.position_ids": torch.arange(77)[None]},
    ),
}


@pytest.mark.parametrize("age", AGES)
def test_files_of_every_age(folder, model, age):
    file, change = AGES[age]
    edit(folder / file, change)
    assert same(load(folder), model)


def shard(folder: Path, variant: str = "") -> None:
    """Split the UNet's file in two, as diffusers does with large ones."""
    tensors, place = load_file(folder / UNET), {}
    for i in range(2):
        name = f"diffusion_pytorch_model{variant}-0000{i + 1}-of-00002.safetensors"
        part = {key: tensors[key] for key in sorted(tensors)[i::2]}
        save_file(part, folder / "unet" / name)
        place |= dict.fromkeys(part, name)
    (folder / UNET).unlink()
    index = {"metadata": {"total_size": 1}, "weight_map": place}
    write(folder / "unet" / f"diffusion_pytorch_model.safetensors.index{variant}.json", index)


@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_shards(folder, model, variant):
    shard(folder, variant)
    assert same(load(folder), model)


def test_a_whole_file_goes_before_shards(folder, model):
    whole = folder / UNET
    kept = whole.read_bytes()
    shard(folder)
    whole.write_bytes(kept)
    assert load(folder).hash == model.hash


def test_without_a_shard_its_tensors_are_missing(folder):
    shard(folder)
    file = folder / "unet" / "diffusion_pytorch_model-00002-of-00002.safetensors"
    names = load_file(file).keys()
    file.unlink()
    message = refused(folder)
    assert f"and {len(names) - 3} more; is it" in message and "unexpected" not in message
    named = re.findall(r"unet\.(\S+) is missing", message)
    assert len(named) == 3 and names >= set(named)


def test_precision(folder, model):
    """Whatever the dtype, the files in full precision go before `.fp16.`, so that a run in bf16
    can be continued in fp32; those in half precision do where there are no others."""
    edit(
        folder / UNET,
        lambda tensors: {name: t.half() for name, t in tensors.items()},
        to=folder / "half",
    )
    (folder / "half").rename(folder / UNET.replace(".safe", ".fp16.safe"))
    only_half = load(folder)  # fp32 from .fp16.
    assert only_half.dtype == torch.float32
    weight = model.unet.conv_in.weight
    assert torch.equal(only_half.unet.conv_in.weight, weight.half().float())
    zeros = {name: torch.zeros(t.shape) for name, t in model.unet.state_dict().items()}
    save_file(zeros, folder / UNET)
    half, full = load(folder, dtype=torch.float16), load(folder)
    assert not half.unet.conv_in.weight.any() and not full.unet.conv_in.weight.any()
    assert half.hash == full.hash and len({full.hash, only_half.hash, model.hash}) == 3


def test_the_hash_is_of_the_bytes_and_the_configs(folder, model):
    assert load(folder).hash == model.hash
    config = folder / "scheduler" / "scheduler_config.json"
    write(config, json.loads(config.read_text()) | {"beta_end": 0.02})
    assert (other := load(folder).hash) != model.hash
    edit(
        folder / VAE, lambda tensors: tensors | {"quant_conv.bias": tensors["quant_conv.bias"] + 1}
    )
    assert load(folder).hash not in (model.hash, other)


def test_the_hash_of_the_miniature_is_that_of_the_runs_people_have():
    digest = "4ae02adf7dca66b4fbefa1f3c3ae1676ada6b72831baa9ce9422519281083cfb"
    assert load(ROOT / "weights" / "mini").hash == digest


def test_own_settings(folder):
    own = {"note": "a note", "tune": {"steps": 7, "lr": 1}, "sample": {"prompts": ["a"]}, "x": 1}
    write(folder / "tav.json", own)
    assert load(folder).defaults == own


def test_length_of_the_tokenizer(folder):
    """Some folders name 1e30, which says "I do not know"; the text encoder knows."""
    for length, expected in ((int(1e30), 77), (1e30, 77), (20, 20), (None, 77)):
        write(folder / "tokenizer" / "tokenizer_config.json", {"model_max_length": length})
        model = load(folder)
        assert model.tokenizer("a man").shape == (1, expected), length
        assert model.embed("a man").shape == (1, expected, 64), length


# ------------------------------------------------------------------------------------------------
# configs


def sizes(age: str) -> dict[str, dict]:
    return {part: arguments(part, CONFIGS[age][part]) for part in PARTS}


def count(part: str, arguments: dict) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in PARTS[part](**arguments).parameters())


@pytest.mark.parametrize("age", ["sd14", "sd21", "recent"])
def test_published_configs(age):
    found, sd2 = sizes(age), age == "sd21"
    assert found["unet"]["heads"] == ([5, 10, 20, 20] if sd2 else [8] * 4)
    assert found["unet"]["attentive"] == [True, True, True, False]
    assert (found["vae"]["norm_num_groups"], found["vae"]["scaling_factor"]) == (32, 0.18215)
    counted = {part: count(part, arguments) for part, arguments in found.items()}
    assert counted["unet"] == (865_910_724 if sd2 else 859_520_964)
    assert counted["vae"] == 83_653_863
    assert counted["text_encoder"] == (340_387_840 if sd2 else 123_060_480)
    schedule = Schedule(**arguments("scheduler", CONFIGS[age]["scheduler"]))
    assert schedule.prediction_type == ("v_prediction" if sd2 else "epsilon")
    assert schedule.steps(50)[0] == (981, 961)
    assert schedule.final_alpha_cumprod == schedule.alphas_cumprod[0]


def test_a_lacking_key_is_its_default():
    for key in ("norm_eps", "norm_num_groups", "out_channels", "flip_sin_to_cos", "in_channels"):
        config = {k: v for k, v in CONFIGS["sd14"]["unet"].items() if k != key}
        assert arguments("unet", config) == sizes("sd14")["unet"], key


UNFIT = [  # part, keys to change, words of the answer
    ("unet", {"class_embed_type": "projection"}, "class_embed_type = 'projection'"),
    ("unet", {"num_class_embeds": 1000}, "num_class_embeds = 1000"),
    ("unet", {"addition_embed_type": "text_time"}, "addition_embed_type = 'text_time'"),
    ("unet", {"flip_sin_to_cos": False}, "flip_sin_to_cos = False"),
    ("unet", {"norm_eps": 1e-6}, "norm_eps = 1e-06"),
    ("unet", {"dual_cross_attention": True}, "dual_cross_attention = True"),
    ("unet", {"layers_per_block": [1, 1]}, "layers_per_block = [1, 1]"),
    ("unet", {"a_key_of_2030": "new"}, "a_key_of_2030 = 'new'"),
    ("unet", {"block_out_channels": [64, "64"]}, "block_out_channels = [64, '64']"),
    ("unet", {"block_out_channels": 64}, "block_out_channels = 64 is not"),
    ("unet", {"layers_per_block": "1"}, "layers_per_block = '1'"),
    ("unet", {"sample_size": [8, 8]}, "sample_size = [8, 8]"),
    ("unet", {"attention_head_dim": "8"}, "attention_head_dim = '8'"),
    ("unet", {"attention_head_dim": [8]}, "heads = [8], attentive = [True, False] make no model"),
    ("unet", {"down_block_types": ["DownBlock2D"]}, "attentive = [False] make no model"),
    ("unet", {"block_out_channels": [40, 64]}, "unet/config.json: block_out_channels = [40, 64],"),
    ("unet", {"norm_num_groups": 0}, "norm_num_groups = 0 is not"),
    ("vae", {"block_out_channels": []}, "block_out_channels = [] is not"),
    (
        "unet",
        {"cross_attention_dim": 768},
        "unet/config.json: cross_attention_dim is not the text encoder's hidden_size",
    ),
    ("vae", {"latents_mean": [0.0, 0.0, 0.0, 0.0]}, "vae/config.json: latents_mean = "),
    ("vae", {"scaling_factor": "0.2"}, "scaling_factor = '0.2'"),
    ("text_encoder", {"hidden_act": "relu"}, "text_encoder/config.json: hidden_act = 'relu'"),
    ("text_encoder", {"layer_norm_eps": 1e-12}, "layer_norm_eps = 1e-12"),
    (
        "text_encoder",
        {"max_position_embeddings": 78},
        "position_embedding.weight is (77, 64) instead of (78, 64)",
    ),
    ("scheduler", {"prediction_type": "sample"}, "prediction_type = 'sample'"),
    ("scheduler", {"beta_schedule": "squaredcos_cap_v2"}, "beta_schedule = 'squaredcos_cap_v2'"),
    ("scheduler", {"set_alpha_to_one": "no"}, "set_alpha_to_one = 'no'"),
    ("scheduler", {"steps_offset": "1"}, "steps_offset = '1'"),
    ("scheduler", {"num_train_timesteps": 0}, "num_train_timesteps = 0 is not"),
    ("scheduler", {"trained_betas": [0.1]}, "trained_betas = [0.1]"),
    ("scheduler", {"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr = True"),
    ("unet", {"attention_head_dim": True}, "attention_head_dim = True"),
    ("unet", {"attention_head_dim": -8}, "attention_head_dim = -8"),
    ("unet", {"attention_head_dim": 8.0}, "attention_head_dim = 8.0"),
    ("unet", {"attention_head_dim": 7}, "heads [7, 7] do not divide the widths [64, 64]"),
    ("unet", {"norm_num_groups": 31}, "must be divisible by num_groups (31)"),
    ("unet", {"layers_per_block": 10_000_000}, "layers_per_block = 10000000"),
    ("unet", {"layers_per_block": False}, "layers_per_block = False"),
    ("unet", {"block_out_channels": [64] * 100}, "block_out_channels"),
    ("unet", {"mid_block_scale_factor": True}, "mid_block_scale_factor = True"),
    ("unet", {"sample_size": 1.5}, "sample_size = 1.5"),
    ("vae", {"scaling_factor": float("nan")}, "scaling_factor = nan"),
    ("vae", {"scaling_factor": "0.18215"}, "scaling_factor = '0.18215'"),
    ("vae", {"scaling_factor": [0.18215]}, "scaling_factor = [0.18215]"),
    ("text_encoder", {"num_hidden_layers": 10**9}, "num_hidden_layers = 1000000000"),
    ("text_encoder", {"num_attention_heads": 3}, "heads [3] do not divide the widths [64]"),
    ("text_encoder", {"hidden_size": True}, "hidden_size = True"),
    ("scheduler", {"beta_start": -1}, "beta_start = -1"),
    ("scheduler", {"beta_end": float("inf")}, "beta_end = inf"),
]


@pytest.mark.parametrize("part, keys, words", UNFIT)
def test_what_is_not_sd_1_or_2_is_refused_by_name(folder, part, keys, words):
    name = "scheduler_config.json" if part == "scheduler" else "config.json"
    edit(folder / part / name, lambda config: config | keys)
    assert words in refused(folder)


def test_a_tokenizer_larger_than_the_text_encoder_is_refused(folder):
    table = "text_model.embeddings.token_embedding.weight"
    edit(folder / TEXT, lambda tensors: tensors | {table: tensors[table][:1000]})
    edit(folder / "text_encoder" / "config.json", lambda config: config | {"vocab_size": 1000})
    assert "49,408 pieces, but the text encoder knows 1,000" in refused(folder)


def without_mid_attention(folder: Path) -> None:
    edit(folder / UNET, lambda t: {n: t[n] for n in t if not n.startswith("mid_block.attentions")})
    edit(folder / "unet" / "config.json", lambda c: c | {"mid_block_type": "UNetMidBlock2D"})


def inpainting(folder: Path) -> None:
    edit(folder / UNET, lambda t: t | {"conv_in.weight": torch.zeros(64, 9, 3, 3)})
    edit(folder / "unet" / "config.json", lambda c: c | {"in_channels": 9})


def without_quant_conv(folder: Path) -> None:
    edit(folder / VAE, lambda t: {n: t[n] for n in t if not n.startswith("quant_conv")})
    edit(folder / "vae" / "config.json", lambda c: c | {"use_quant_conv": False})


@pytest.mark.parametrize(
    "other, words",
    [
        (without_mid_attention, "unet.mid_block.attentions.0.norm.weight is missing"),
        (inpainting, "unet.conv_in.weight is (64, 9, 3, 3) instead of (64, 4, 3, 3)"),
        (without_quant_conv, "vae.quant_conv.weight is missing"),
    ],
)
def test_other_networks_are_refused_by_their_tensors(folder, other, words):
    other(folder)
    assert words in refused(folder)


def test_sdxl_is_refused_by_name():
    with pytest.raises(
        UserError, match="addition_embed_type = 'text_time' is not Stable Diffusion 1 or 2"
    ):
        arguments("unet", CONFIGS["sdxl"]["unet"])


# ------------------------------------------------------------------------------------------- broken
# files


def header_lies(data: bytes) -> bytes:
    """The header says that the last tensor ends a gigabyte after the file does."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    last = max(
        (name for name in header if name != "__metadata__"),
        key=lambda name: header[name]["data_offsets"][1],
    )
    begin, _ = header[last]["data_offsets"]
    header[last] = {"dtype": "U8", "shape": [1 << 30], "data_offsets": [begin, begin + (1 << 30)]}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


BYTES = {
    "truncated": lambda data: data[: len(data) // 2],
    "one byte short": lambda data: data[:-1],
    "cut in the header": lambda data: data[:100],
    "empty": lambda data: b"",
    "header longer than the file": lambda data: (1 << 40).to_bytes(8, "little") + data[8:],
    "header shorter than it is": lambda data: (64).to_bytes(8, "little") + data[8:],
    "header that lies about a size": header_lies,
}


@pytest.mark.parametrize("damage", BYTES)
def test_a_damaged_file_is_refused(folder, damage):
    write(folder / UNET, BYTES[damage]((folder / UNET).read_bytes()))
    message = refused(folder)
    assert f"{folder / UNET}: not a whole safetensors file" in message and "get it again" in message
    (folder / UNET).rename(folder / "single.safetensors")
    assert "not a whole safetensors file" in refused(folder / "single.safetensors")


def without(*names: str) -> Callable[[dict], dict]:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if name not in names}


RESNET = "unet.down_blocks.0.resnets.0"
FAULTS = [
    (without("conv_in.bias"), ": unet.conv_in.bias is missing; is it"),
    (lambda tensors: tensors | {"b": torch.zeros(1)}, ": unet.b is unexpected; is it"),
    (
        lambda tensors: tensors | {"conv_in.bias": torch.zeros(3)},
        ": unet.conv_in.bias is (3,) instead of (64,); is it",
    ),
    (
        without(
            *(
                f"{RESNET[5:]}.{x}"
                for x in ("norm1.weight", "norm1.bias", "conv1.weight", "norm2.bias")
            )
        ),
        f": {RESNET}.norm1.weight is missing, {RESNET}.norm1.bias is missing, "
        f"{RESNET}.conv1.weight is missing, and 1 more; is it",
    ),
    (
        lambda tensors: (
            without("conv_in.bias")(tensors)
            | {"a": torch.zeros(1), "conv_out.bias": torch.zeros(1)}
        ),
        ": unet.conv_in.bias is missing, unet.a is unexpected, "
        "unet.conv_out.bias is (1,) instead of (4,); is it",
    ),
]


@pytest.mark.parametrize("change, words", FAULTS)
def test_every_tensor_is_accounted_for(folder, change, words):
    edit(folder / UNET, change)
    assert words in refused(folder)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3438167536\n"


@pytest.mark.parametrize("name", [UNET, "vae/config.json", "tokenizer/vocab.json"])
def test_a_pointer_of_git_lfs_is_called_that(folder, name):
    write(folder / name, POINTER)
    message = refused(folder)
    assert f"{folder / name}: a pointer of git-lfs" in message and "; run git lfs pull" in message


def test_a_single_file_that_is_a_pointer_is_called_that(tmp_path):
    write(tmp_path / "sd.safetensors", POINTER)
    assert "sd.safetensors: a pointer of git-lfs" in refused(tmp_path / "sd.safetensors")


def test_a_pipe_and_a_folder_in_the_place_of_a_file_are_none(folder):
    (folder / UNET).unlink()
    os.mkfifo(folder / UNET)  # to read it would wait for ever
    assert f"no {UNET} in it" in refused(folder)
    (folder / UNET).unlink()
    (folder / UNET).mkdir()
    assert f"no {UNET} in it" in refused(folder)


PEFT = "base_model.model.down_blocks.0.attentions.0.proj_in.base_layer.weight"
ADAPTERS = {
    "peft": {PEFT: torch.zeros(1)},
    "lora of diffusers": {"down_blocks.0.attn1.to_q.lora_A.weight": torch.zeros(1)},
    "older lora": {"down_blocks.0.attn1.processor.to_q_lora.down.weight": torch.zeros(1)},
    "lycoris": {"lora_unet_down_blocks_0.hada_w1_a": torch.zeros(1)},
}


@pytest.mark.parametrize("kind", ADAPTERS)
def test_an_adapter_that_is_not_merged_is_called_that(folder, kind):
    edit(folder / UNET, lambda tensors: tensors | ADAPTERS[kind])
    assert "LoRA or another adapter; merge it into its model first" in refused(folder)


@pytest.mark.parametrize("name", ["adapter_model", "pytorch_lora_weights"])
def test_a_folder_with_nothing_but_a_lora_is_called_that(tmp_path, name):
    save_file({"a": torch.zeros(1)}, tmp_path / f"{name}.safetensors")
    message = refused(tmp_path)
    assert "no unet/config.json" in message and "but a LoRA" in message and "merge it" in message


def test_all_parts_that_are_not_there_are_named(folder):
    shutil.rmtree(folder / "vae")
    shutil.rmtree(folder / "scheduler")
    message = refused(folder)
    assert "no vae/config.json and no scheduler/scheduler_config.json in it; copy" in message


@pytest.mark.parametrize(
    "name", ["a" * 5000, "a/" + "b" * 5000, "a" * 300 + "/b", "c" * 300 + ".x"]
)
def test_a_name_longer_than_the_system_allows_is_one_line(name):
    assert "no such weights folder or file" in refused(name)
    with pytest.raises(UserError, match="config.json: no such file; see"):
        load_clip(name)


def pickled(folder: Path) -> None:
    (folder / UNET).rename(folder / "unet" / "diffusion_pytorch_model.bin")


def tokenizer_json_only(folder: Path) -> None:
    (folder / "tokenizer" / "vocab.json").unlink()
    write(folder / "tokenizer" / "tokenizer.json", {})  # without a model in it


SPOILED = {
    "no unet": (lambda f: shutil.rmtree(f / "unet"), "no unet/config.json in it"),
    "no vae": (lambda f: shutil.rmtree(f / "vae"), "no vae/config.json in it"),
    "no scheduler": (
        lambda f: shutil.rmtree(f / "scheduler"),
        "no scheduler/scheduler_config.json in it",
    ),
    "no weights": (lambda f: (f / UNET).unlink(), f"no {UNET} in it"),
    "pickled weights": (pickled, f"no {UNET} in it (pickled weights are never loaded)"),
    "an empty tokenizer.json": (tokenizer_json_only, "or tokenizer.json ('model')"),
    "no merges": (lambda f: (f / "tokenizer" / "merges.txt").unlink(), "merges.txt"),
    "wrong merges": (
        lambda f: write(f / "tokenizer" / "merges.txt", "qq zz\n"),
        "not CLIP's vocab.json and merges",
    ),
    "empty vocabulary": (
        lambda f: write(f / "tokenizer" / "vocab.json", {}),
        "the vocabulary lacks",
    ),
    "not JSON": (
        lambda f: write(f / "vae" / "config.json", "{"),
        "vae/config.json: cannot be read as JSON",
    ),
    "not text": (
        lambda f: write(f / "vae" / "config.json", b"\xff"),
        "vae/config.json: cannot be read as JSON",
    ),
    "no object": (
        lambda f: write(f / "vae" / "config.json", "[]"),
        "vae/config.json: cannot be read as JSON",
    ),
}


@pytest.mark.parametrize("fault", SPOILED)
def test_a_spoiled_folder_is_refused(folder, fault):
    spoil, words = SPOILED[fault]
    spoil(folder)
    message = refused(folder)
    assert words in message and str(folder) in message


def test_pickles_are_refused_unread(tmp_path):
    for suffix in (".ckpt", ".bin", ".pt", ".pth", ".CKPT"):
        file = tmp_path / f"sd-v1-4{suffix}"
        for _ in range(2):  # whether it is there or not
            assert "is a pickle, which can run code; use its .safetensors" in refused(file)
            file.write_bytes(b"\x80\x04cos\nsystem\n")


# -------------------------------------------------------------------------------------------------
# the hub


class StubHub:
    """A repository on the hub, `files` by name, and what was fetched of it; `broken` is raised by
    every call."""

    def __init__(
        self, monkeypatch, at: Path, files: dict[str, Path], broken: Exception | None = None
    ):
        self.at, self.files, self.broken, self.fetched = at / "hub", files, broken, []
        monkeypatch.setattr(huggingface_hub, "snapshot_download", self.snapshot)

    def snapshot(self, repo: str, allow_patterns: list[str]) -> str:
        """As huggingface-hub: what is there already is not fetched again."""
        assert repo == "someone/sd"
        if self.broken:
            raise self.broken
        for name in sorted(
            n for n in self.files if any(fnmatch(n, pattern) for pattern in allow_patterns)
        ):
            if name not in self.fetched:
                (self.at / name).parent.mkdir(parents=True, exist_ok=True)
                os.link(self.files[name].resolve(), self.at / name)
                self.fetched.append(name)
        return str(self.at)


def published(folder: Path) -> dict[str, Path]:
    """A repository as people fill them: both precisions, pickles, a safety checker, a single file,
    a picture."""
    for name in (UNET, VAE, TEXT):
        half = {key: value.half() for key, value in load_file(folder / name).items()}
        save_file(half, folder / name.replace(".safe", ".fp16.safe"))
        write(folder / name.replace("safetensors", "bin"), b"pickle")
        write(folder / name.replace(".safe", ".non_ema.safe"), b"not wanted")
    for name in (
        "sd.ckpt",
        "sd.safetensors",
        "README.md",
        "safety_checker/model.safetensors",
        "model_index.json",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        write(folder / name, b"not wanted")
    write(folder / "tokenizer" / "tokenizer_config.json", {"model_max_length": 77})
    return {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}


SMALL = {f"{part}/config.json" for part in PARTS} | {"scheduler/scheduler_config.json"}
SMALL |= {f"tokenizer/{name}" for name in ("vocab.json", "merges.txt", "tokenizer_config.json")}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_only_what_is_needed_is_fetched(folder, model, monkeypatch, tmp_path, dtype):
    hub = StubHub(monkeypatch, tmp_path, published(folder))
    got = load("someone/sd", dtype=dtype)
    assert set(hub.fetched) == SMALL | {UNET, VAE, TEXT}
    assert got.path == "someone/sd" and got.dtype == dtype and got.hash == model.hash
    assert same(got, model) == (dtype == torch.float32)
    load("someone/sd", dtype=dtype)
    assert len(hub.fetched) == len(SMALL | {UNET, VAE, TEXT})


@pytest.mark.parametrize("dtype, there", [(torch.float16, ""), (torch.float32, ".fp16")])
def test_each_precision_makes_do_with_the_other_files(folder, monkeypatch, tmp_path, dtype, there):
    files = {
        name: file
        for name, file in published(folder).items()
        if (".fp16." in name) == (there == ".fp16")
    }
    files |= {name: folder / name for name in SMALL}
    hub = StubHub(monkeypatch, tmp_path, files)
    assert load("someone/sd", dtype=dtype).dtype == dtype
    assert set(hub.fetched) == SMALL | {
        name.replace(".safe", f"{there}.safe") for name in (UNET, VAE, TEXT)
    }


@pytest.mark.parametrize("variant, dtype", [("", torch.float32), (".fp16", torch.float16)])
def test_shards_are_fetched(folder, monkeypatch, tmp_path, variant, dtype):
    files = published(folder)
    shard(folder, variant)
    files = {str(f.relative_to(folder)): f for f in folder.rglob("*") if f.is_file()}
    files = {name: f for name, f in files.items() if name != UNET.replace(".safe", ".fp16.safe")}
    hub = StubHub(monkeypatch, tmp_path, files)
    load("someone/sd", dtype=dtype)
    assert len([name for name in hub.fetched if f"{variant}-0000" in name]) == 2


def test_offline_is_one_line(monkeypatch, tmp_path):
    StubHub(monkeypatch, tmp_path, {}, broken=ConnectionError("no route to host\nrequest id 1"))
    with pytest.raises(
        UserError,
        match="^someone/sd: no such folder here, and the hub does not give it: no route to",
    ):
        load("someone/sd")


def test_a_hub_repository_without_safetensors_is_refused(folder, monkeypatch, tmp_path):
    files = published(folder)
    files = {name: file for name, file in files.items() if not name.endswith(".safetensors")}
    hub = StubHub(monkeypatch, tmp_path, files)
    assert "pickled weights are never loaded" in refused("someone/sd")
    assert not [name for name in hub.fetched if name.endswith((".bin", ".ckpt"))]


def test_a_mistyped_path_is_not_asked_of_the_hub(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    StubHub(monkeypatch, tmp_path, {}, broken=AssertionError("the hub was asked"))
    paths = ["nowhere", "/nowhere/sd", "./nowhere/sd", "../sd/mini", "a/b/c", "tav/mini", "~/sd"]
    for path in (*paths, "sd/v1.safetensors"):
        assert "no such weights folder or file" in refused(path), path
    assert "no vae/config.json" in refused("")


# --------------------------------------------------------------------------------------- device and
# memory


def test_the_layout_in_memory_is_that_of_the_feature_maps(model):
    for part in (model.unet, model.vae):
        convolutions = [m.weight for m in part.modules() if isinstance(m, torch.nn.Conv2d)]
        assert all(w.is_contiguous(memory_format=torch.channels_last) for w in convolutions)


@pytest.mark.parametrize("there", [True, False])
def test_the_gpu_that_is_there_is_taken(folder, monkeypatch, there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    devices = []
    monkeypatch.setattr("tav.io.weights.fill", lambda *given: devices.append(given[2]))
    load(folder)
    load(folder, device="cpu")
    assert devices == ["cuda" if there else "cpu", "cpu"]


def test_resolve():
    assert resolve(None, None)[0] == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve("cpu", None) == ("cpu", None)
    assert resolve("cpu", "fp32") == ("cpu", torch.float32)
    assert resolve("cpu", "bf16") == ("cpu", torch.bfloat16)
    for device in ("gpu", "cuda:99", "cpu:x", "cuda:-1"):
        with pytest.raises(UserError, match=f"device {device} is not there"):
            resolve(device, None)


@pytest.mark.parametrize("flags", ["fma avx512_bf16", "amx_bf16 fma", "fma avx2", None])
def test_bf16_is_for_large_models_on_cpus_that_have_it(monkeypatch, tmp_path, folder, flags):
    if flags:
        write(tmp_path / "cpuinfo", f"flags : {flags}\n".encode())
    monkeypatch.setattr(devices, "CPUINFO", tmp_path / "cpuinfo")
    with torch.device("meta"):
        large = torch.nn.Linear(10_000, devices.LARGE // 10_000)
    expected = torch.bfloat16 if flags and "bf16" in flags else torch.float32
    assert default_dtype(large) == expected
    assert default_dtype(torch.nn.Linear(10, 10)) == torch.float32
    monkeypatch.setattr(devices, "LARGE", 1)
    assert load(folder, dtype=None).dtype == expected
    assert load(folder).dtype == torch.float32


WITHIN = """
import re, resource, sys, torch
from pathlib import Path
from tav.io.files import file_digest, tensors
from tav.unet import UNet2DConditionModel
from tav.io.weights import fill

file, share = Path(sys.argv[1]), float(sys.argv[3])
with torch.device("meta"):
    unet = UNet2DConditionModel(**eval(sys.argv[2]))
torch.ones(2**20).half().sum()  # what torch loads, and the threads that it starts, on first use
used = int(re.search(r"VmData:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
most = used + int((1 + share) * file.stat().st_size)  # the mapped file counts once
resource.setrlimit(resource.RLIMIT_DATA, (most, most))
file_digest(file)
fill(unet, tensors(file), "cpu", torch.float16, "unet")
print("sympy" in sys.modules)
"""
BIG = {
    "block_out_channels": [192, 384],
    "layers_per_block": 1,
    "heads": [8, 8],
    "attentive": [True, False],
}
BIG |= {"cross_attention_dim": 768}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures as Linux does")
@pytest.mark.parametrize("share, enough", [(1.0, True), (0.4, False)])
def test_loading_takes_as_much_memory_as_the_file_has(tmp_path, share, enough):
    with torch.device("meta"):
        shapes = UNet2DConditionModel(**BIG).state_dict()
    file = tmp_path / "unet.safetensors"
    save_file({name: torch.zeros(t.shape, dtype=torch.float16) for name, t in shapes.items()}, file)
    assert file.stat().st_size > 40e6
    command = [sys.executable, "-c", WITHIN, str(file), repr(BIG), str(share)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if enough:
        assert done.returncode == 0, done.stderr
        assert done.stdout == "False\n"  # drawing on the meta device would import for a second
    else:
        assert "can't allocate memory" in done.stderr

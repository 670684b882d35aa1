"""Stable Diffusion's safetensors -> modules, every tensor accounted for (lesson 06)."""

import hashlib
import os
import re
import reprlib
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from ..inflation import inflate, trainable
from ..metrics import CLIP, MEAN, STD
from ..model import StableDiffusion, Unsuitable
from ..schedule import Schedule
from ..text import CLIPTextModel, Tokenizer
from ..unet import UNet2DConditionModel
from ..vae import AutoencoderKL
from . import single_file
from .cli import UserError, own_settings
from .devices import default_dtype
from .files import CONFIGS, arguments, brief, fetched, file_digest, read_json, shards, tensors
from .single_file import Named
from .vocabulary import CLIP_TOKENIZER, load_tokenizer

PARTS = {"text_encoder": CLIPTextModel, "vae": AutoencoderKL, "unet": UNet2DConditionModel}
PICKLES = (".ckpt", ".bin", ".pt", ".pth")
# In the names of tensors that change a model which is not in the file: LoRA, peft, LyCORIS.
ADAPTER = r"lora|adapter_model|base_layer|base_model\.model|lycoris|hada_w|lokr_"
MERGE = "a LoRA or another adapter; merge it into its model first, with diffusers' fuse_lora"


def load(
    path: str | Path, device: str | None = None, dtype: torch.dtype | None = torch.float32
) -> StableDiffusion:
    """Stable Diffusion from a folder, a single `.safetensors` file or a hub id.

    It goes to the GPU if there is one and no device is given. `dtype` is the UNet's; without one
    (None), its size and the CPU decide. VAE and text encoder are in fp32: they run once, and the
    VAE overflows in fp16. UserError names what is wrong with the files.
    """
    place = Path(path)
    if place.suffix.lower() in PICKLES:
        what = f"a {place.suffix} file is a pickle, which can run code"
        raise UserError(f"{path}: {what}; use its .safetensors")
    if not os.path.exists(place):
        place = fetched(str(path))
    configs, folder, files = find(place)
    sizes, modules, schedule = build(configs, path)
    tokenizer = load_tokenizer(folder, sizes["text_encoder"])
    if place.is_file() and sizes["text_encoder"]["hidden_act"] == "gelu":
        tokenizer.pad = 0  # OpenCLIP's padding; a folder of SD 2 says so itself
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.allow_tf32 = False  # by default convolutions in fp32 round to 10 bits
    dtype = dtype or default_dtype(modules["unet"])
    modules["unet"].to(dtype)
    named = (pair for prefix, file in files for pair in tensors(file, prefix))
    fill(modules, named, device, None, path)
    settings_file = place / "tav.json"
    settings = read_json(settings_file) if settings_file.is_file() else {}
    side = configs["unet"].get("sample_size") or 64  # of latents
    # sha256 of what the configs say and of the files' bytes.
    digest = hashlib.sha256(repr([sizes, [file_digest(file) for _, file in files]]).encode())
    return StableDiffusion(
        tokenizer=tokenizer,
        **modules,  # text_encoder, vae, unet
        schedule=schedule,
        path=str(path),
        hash=digest.hexdigest(),
        size=side * modules["vae"].factor,
        defaults=own_settings(settings_file, settings),
    )


def find(place: Path) -> tuple[dict[str, dict], Path, list[tuple[str, Path]]]:
    """The configs by part, the tokenizer's folder, and the safetensors of a folder or single file,
    each with what its names lack: "unet.", or "" where a file holds everything."""
    if place.is_file():
        return single_file.configs(place), CLIP_TOKENIZER, [("", place)]
    lacking = [name for name in CONFIGS.values() if not (place / name).is_file()]
    if lacking:
        what = f"{place}: no {' and no '.join(lacking)} in it"
        if re.search(ADAPTER, " ".join(file.name for file in place.glob("*.safetensors"))):
            raise UserError(f"{what}, but {MERGE}")
        advice = "copy what is missing from the model that this one was made from"
        raise UserError(f"{what}; {advice} (weights/README.md says what belongs there)")
    configs = {part: read_json(place / name) for part, name in CONFIGS.items()}
    files = [(f"{part}.", file) for part in PARTS for file in shards(place, part)]
    return configs, place / "tokenizer", files


def build(
    configs: dict[str, dict], origin: str | Path
) -> tuple[dict[str, dict], nn.ModuleDict, Schedule]:
    """The constructor arguments of each part, the modules without memory yet, and the schedule."""
    files = {part: f"{origin}/{CONFIGS[part]}" for part in configs}
    sizes = {part: arguments(part, configs[part], files[part]) for part in configs}
    if sizes["unet"]["cross_attention_dim"] != sizes["text_encoder"]["hidden_size"]:
        what = "cross_attention_dim is not the text encoder's hidden_size"
        raise UserError(f"{files['unet']}: {what}; get both configs again")
    modules = {part: empty(kind, sizes[part], files[part]) for part, kind in PARTS.items()}
    return sizes, nn.ModuleDict(modules), Schedule(**sizes["scheduler"])


def empty(kind: type[nn.Module], sizes: dict, file: str | Path) -> nn.Module:
    """A module on the meta device, which takes no memory; UserError for what the sizes raise."""
    try:
        with torch.device("meta"):
            return kind(**sizes)
    # Such as no layers, no groups, groups that do not divide a width, or a size of 2^200.
    except (ValueError, TypeError, ArithmeticError, LookupError, RuntimeError) as error:
        said = ", ".join(f"{key} = {reprlib.repr(value)}" for key, value in sizes.items())
        what = f"{said} make no model ({brief(error)})"
        raise UserError(f"{file}: {what}; get it again") from None


def fill(
    module: nn.Module, named: Named, device: str, dtype: torch.dtype | None, origin: str | Path
) -> None:
    """Give every parameter of a meta module its tensor, strictly, and freeze it.

    `named` are those of a file of any age and layout, called `origin` in errors. Without a `dtype`
    they get that of the parameters. UserError if one is missing, unexpected or of another shape; up
    to there, no more than the files' headers is read.
    """
    found, expected = dict(single_file.renamed(named)), module.state_dict()
    faults = [f"{name} is missing" for name in expected if name not in found]
    faults += [f"{name} is unexpected" for name in found if name not in expected]
    for name in found:
        if name in expected and found[name].shape != expected[name].shape:
            shapes = f"{tuple(found[name].shape)} instead of {tuple(expected[name].shape)}"
            faults.append(f"{name} is {shapes}")
    if faults:
        said = ", ".join(faults[:3]) + (f", and {len(faults) - 3:,} more" if faults[3:] else "")
        raise UserError(f"{origin}: {said}; {advice(found, expected)}")
    converted = {}
    for name, tensor in found.items():
        # Convolutions' weights as their feature maps are, or each call would convert them.
        layout = torch.channels_last if tensor.ndim == 4 else torch.preserve_format
        converted[name] = tensor.to(device, dtype or expected[name].dtype, memory_format=layout)
    module.load_state_dict(converted, assign=True)
    module.eval().requires_grad_(False)


def load_tuned(unet: UNet2DConditionModel, tuned: dict[str, Tensor], origin: str) -> None:
    """Inflate `unet`, put tuned weights into it, and freeze it, all in place.

    Unsuitable, with the name `origin`, unless the tensors are exactly those that tuning trains.
    """
    parameters = trainable(inflate(unet))
    wanted = {name: p.shape for name, p in parameters.items()}
    found = {name: t.shape for name, t in tuned.items()}
    if wanted != found:
        raise Unsuitable(f"{origin}: tuned for other weights than these")
    unet.load_state_dict(tuned, strict=False)
    unet.requires_grad_(False)


def advice(found: Iterable[str], expected: Iterable[str]) -> str:
    """What to do about tensors of these names, where those are expected."""
    if any(re.search(ADAPTER, name) for name in found):
        return f"it is {MERGE}"
    of_parts = {name.partition(".")[0] for name in found}
    for part, words in {"vae": "VAE", "text_encoder": "text encoder", "unet": "UNet"}.items():
        if part not in of_parts and any(name.startswith(f"{part}.") for name in expected):
            return f"there is no {words} in it, so take a version with one, or the model's folder"
    return "is it a whole Stable Diffusion 1.x or 2.x?"


def load_clip(folder: str | Path, device: str = "cpu") -> tuple[CLIP, Tokenizer]:
    """CLIP from a folder of transformers' `CLIPModel`; UserError if it is not whole, or another."""
    folder = Path(folder)
    file = folder / "config.json"
    config, pictures = read_json(file), read_json(folder / "preprocessor_config.json")
    known = {"image_mean": MEAN, "image_std": STD, "resample": 3}  # 3: Pillow's bicubic
    for key in known.keys() & pictures.keys():
        if pictures[key] != known[key]:
            what = f"{key} = {reprlib.repr(pictures[key])} is not OpenAI's CLIP"
            raise UserError(f"{folder}: {what}; use another")
    text = arguments("text_encoder", config.get("text_config"), file)
    vision = arguments("vision", config.get("vision_config"), file)
    sizes = {"text": text, "vision": vision, "width": config.get("projection_dim", 512)}
    model = empty(CLIP, sizes, file)
    fill(model, tensors(folder / "model.safetensors"), device, torch.float32, folder)
    return model, load_tokenizer(folder, text)

"""Stable Diffusion's safetensors -> modules, every tensor accounted for (lesson 06)."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..metrics import CLIP
from ..model import StableDiffusion
from ..schedule import Schedule
from ..text import CLIPTextModel, Tokenizer
from ..unet import UNet2DConditionModel
from ..vae import AutoencoderKL
from . import single_file
from .cli import UserError, own_settings
from .configs import DEFAULTS, VISION, arguments, check_clip, check_sizes
from .devices import default_dtype
from .files import CONFIGS, fetched, file_digest, read_json, required, tensors, weight_files
from .vocabulary import CLIP_TOKENIZER, load_tokenizer

PARTS = {"text_encoder": CLIPTextModel, "vae": AutoencoderKL, "unet": UNet2DConditionModel}
# Names in files of another age (VAEs of 2022, text encoders of transformers 5) -> ours.
OLD_NAMES = {
    r"\.query\.": ".to_q.",
    r"\.key\.": ".to_k.",
    r"\.value\.": ".to_v.",
    r"\.proj_attn\.": ".to_out.0.",
    r"^text_encoder\.(embeddings|encoder|final_layer_norm)\.": r"text_encoder.text_model.\1.",
}
PICKLES = (".ckpt", ".bin", ".pt", ".pth")


@dataclass
class Found:
    """The files of one Stable Diffusion, before anything is built."""

    configs: dict[str, dict]  # by part: unet, vae, text_encoder, scheduler
    tokenizer: Path  # its folder
    files: list[tuple[str, Path]]  # part ("" where a file holds all) and safetensors file
    tensors: Iterable[tuple[str, Tensor]]  # name, with the part in front, and tensor; read lazily


def load(
    path: str | Path, device: str = "cpu", dtype: torch.dtype | None = torch.float32
) -> StableDiffusion:
    """Stable Diffusion from a folder, a single `.safetensors` file or a hub id.

    Without a dtype (None), its size and the CPU decide. UserError names what is wrong with it.
    """
    place = Path(path)
    if place.suffix.lower() in PICKLES:
        what = f"a {place.suffix} file is a pickle, which can run code"
        raise UserError(f"{path}: {what}; use its .safetensors")
    if not place.exists():
        place = fetched(str(path))
    found = find(place)
    sizes, modules, schedule = build(found.configs, path)
    tokenizer = load_tokenizer(found.tokenizer, sizes["text_encoder"])
    if place.is_file() and sizes["text_encoder"]["hidden_act"] == "gelu":
        tokenizer.pad = 0  # OpenCLIP's padding; a folder of SD 2 says so itself
    dtype = dtype or default_dtype(modules["unet"])
    fill(modules, found.tensors, device, dtype, path)
    modules["vae"].to(memory_format=torch.channels_last)  # a tenth faster
    modules["unet"].to(memory_format=torch.channels_last)  # like its feature maps
    settings_file = place / "tav.json"
    settings = read_json(settings_file) if settings_file.is_file() else {}
    side = found.configs["unet"].get("sample_size") or 64  # of latents
    return StableDiffusion(
        tokenizer=tokenizer,
        text_encoder=modules["text_encoder"],
        vae=modules["vae"],
        unet=modules["unet"],
        schedule=schedule,
        path=str(path),
        hash=digest_of(sizes, found.files),
        size=side * modules["vae"].factor,
        defaults=own_settings(settings_file, settings),
    )


def find(place: Path) -> Found:
    """What a folder or a single file holds; UserError if something is missing."""
    if place.is_file():
        named = single_file.renamed(tensors(place))
        return Found(single_file.configs(place), CLIP_TOKENIZER, [("", place)], named)
    configs = {part: read_json(required(place, name)) for part, name in CONFIGS.items()}
    files = [(part, file) for part in PARTS for file in weight_files(place, part)]
    named = ((f"{part}.{name}", tensor) for part, file in files for name, tensor in tensors(file))
    return Found(configs, place / "tokenizer", files, named)


def build(
    configs: dict[str, dict], origin: str | Path
) -> tuple[dict[str, dict], nn.ModuleDict, Schedule]:
    """The constructor arguments of each part, the modules without memory yet, and the schedule."""
    try:
        sizes = {part: arguments(part, config) for part, config in configs.items()}
        check_sizes(sizes)
        schedule = Schedule(**sizes["scheduler"])
        with torch.device("meta"), SkipInit():
            modules = {part: kind(**sizes[part]) for part, kind in PARTS.items()}
    # Such as no layers, no groups, or a width that heads do not divide.
    except (ValueError, TypeError, ArithmeticError, LookupError, RuntimeError) as error:
        what = f"its config files make no model ({str(error)[:200]})"
        raise UserError(f"{origin}: {what}; get them again") from None
    return sizes, nn.ModuleDict(modules), schedule


def digest_of(sizes: dict[str, dict], files: list[tuple[str, Path]]) -> str:
    """sha256 of what the configs say and of the weights' bytes, in hex."""
    digests = [file_digest(file) for _, file in files]
    return hashlib.sha256(repr([sizes, digests]).encode()).hexdigest()


class SkipInit(torch.overrides.TorchFunctionMode):
    """Within, modules get no initial values: `fill` brings theirs, and meta tensors hold none.

    The first drawing on the meta device would import a second's worth of modules.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__module__", "") == "torch.nn.init":
            return None
        return function(*args, **(kwargs or {}))


def fill(
    module: nn.Module, named: Iterable, device: str, dtype: torch.dtype, origin: str | Path
) -> None:
    """Give every parameter of a meta module its tensor, strictly, and freeze it.

    `named` are the names and tensors of a file of any age. UserError if one is missing, unexpected
    or of another shape; `origin` names the file then.
    """
    found = dict(modern(name, tensor) for name, tensor in named)  # mapped, not read yet
    found = {name: tensor for name, tensor in found.items() if not name.endswith("position_ids")}
    faults = differences(found, module.state_dict())
    if faults:
        what = f"tensors: {', '.join(faults)}"
        raise UserError(f"{origin}: {what}; is it a whole Stable Diffusion 1.x or 2.x?")
    converted = {}
    for name, tensor in found.items():
        once = name.startswith(("vae.", "text_encoder."))  # they run once: fp32 costs little
        converted[name] = tensor.to(device, torch.float32 if once else dtype)
    module.load_state_dict(converted, assign=True)
    module.eval().requires_grad_(False)


def modern(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    """A tensor of a file of any age as a file of today has it."""
    for old, new in OLD_NAMES.items():
        name = re.sub(old, new, name)
    if re.search(r"\.(proj_in|proj_out|to_\w+(\.0)?)\.", name) and tensor.ndim == 4:
        tensor = tensor.flatten(1)  # 1x1 convolutions in SD 1's transformers and old VAEs
    return name, tensor


def differences(found: dict[str, Tensor], expected: dict[str, Tensor]) -> list[str]:
    """In what the names and shapes of tensors differ from those expected, in words."""
    misshapen = []
    for name in found:
        if name in expected and found[name].shape != expected[name].shape:
            shapes = f"{tuple(found[name].shape)} instead of {tuple(expected[name].shape)}"
            misshapen.append(f"{name} {shapes}")
    faults = {
        "missing": [name for name in expected if name not in found],
        "unexpected": [name for name in found if name not in expected],
        "of the wrong shape": misshapen,
    }
    told = []
    for what, names in faults.items():
        if names:
            more = ", ..." if len(names) > 3 else ""
            told.append(f"{len(names):,} {what} ({', '.join(names[:3])}{more})")
    return told


def load_clip(folder: str | Path, device: str = "cpu") -> tuple[CLIP, Tokenizer]:
    """CLIP from a folder of transformers' `CLIPModel`.

    UserError if it is not whole, or not of the kind known here.
    """
    folder = Path(folder)
    config = read_json(required(folder, "config.json"))
    pictures = read_json(required(folder, "preprocessor_config.json"))
    defaults = DEFAULTS["text_encoder"]  # transformers' own
    try:
        text, vision = defaults | config["text_config"], defaults | VISION | config["vision_config"]
        check_clip(pictures, text, vision, config.get("projection_dim", 512))
        sizes = {key: text[key] for key in defaults}
        with torch.device("meta"), SkipInit():
            model = CLIP(sizes, vision, config.get("projection_dim", 512))
    except (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        what = f"not a CLIP of the kind known here ({repr(error)[:200]})"
        raise UserError(f"{folder}: {what}; use another") from None
    fill(model, tensors(required(folder, "model.safetensors")), device, torch.float32, folder)
    return model, load_tokenizer(folder, text)

"""Stable Diffusion's safetensors -> modules. Every tensor is accounted for; nothing is unpickled
(lesson 06)."""

import ctypes
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from ..metrics import CLIP, MEAN, STD
from ..model import StableDiffusion
from ..ranks import join
from ..schedule import Schedule
from ..text import CLIPTextModel, Tokenizer
from ..unet import UNet2DConditionModel
from ..vae import AutoencoderKL
from . import single_file
from .cli import UserError
from .files import (
    CONFIGS,
    OWN,
    arguments,
    fetched,
    file_digest,
    need,
    read_json,
    tensors,
    weight_files,
)

CLIP_TOKENIZER = Path(__file__).parents[2] / "weights" / "clip-tokenizer"
PARTS = {"text_encoder": CLIPTextModel, "vae": AutoencoderKL, "unet": UNet2DConditionModel}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# In the configs of a CLIP with both towers: what may not differ from OpenAI's CLIP.
FIXED = {
    "image_mean": MEAN,
    "image_std": STD,
    "resample": Image.Resampling.BICUBIC,
    "layer_norm_eps": 1e-5,
}
# The image tower's sizes where a config names none and the text tower's default is another.
VISION = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
}
# Names in files of another age, VAEs of 2022 and text encoders of transformers 5, -> ours.
OLD = {r"\.query\.": ".to_q.", r"\.key\.": ".to_k.", r"\.value\.": ".to_v.", r"\.proj_attn\.": ".to_out.0.",
       r"^text_encoder\.(embeddings|encoder|final_layer_norm)\.": r"text_encoder.text_model.\1."}  # fmt: skip


def resolve(device: str | None, dtype: str | None) -> tuple[str, torch.dtype]:
    """The device and dtype to work in. None chooses: cuda, then mps, then cpu; half precision on
    cuda only."""
    device = device or (
        "cuda"
        if torch.cuda.is_available()
        else "mps"
        if torch.backends.mps.is_available()
        else "cpu"
    )
    try:
        torch.empty(1, device=device)
    except (
        RuntimeError,
        AssertionError,
    ):  # a word that is no device, or a device that is not there
        raise UserError(f"device {device} is not there; cpu always is") from None
    if dtype is None and device.startswith("cuda"):
        dtype = (
            "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
        )  # bf16 came with Ampere
    if device == "cpu" and hasattr(
        ctypes.pythonapi, "mallopt"
    ):  # glibc: keep freed memory for the next step;
        ctypes.pythonapi.mallopt(
            -1, 2**31 - 1
        )  # M_TRIM_THRESHOLD; to give it back to the system, and fault
        ctypes.pythonapi.mallopt(
            -3, 2**31 - 1
        )  # M_MMAP_THRESHOLD; it in again, takes a fifth of a large step
    return join(device), DTYPES[dtype or "fp32"]


def load(
    path: str | Path, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> StableDiffusion:
    """Stable Diffusion from a folder, a single `.safetensors` file or a hub id. UserError names
    what is wrong."""
    place, half = Path(path), dtype != torch.float32
    if place.suffix.lower() in (".ckpt", ".bin", ".pt", ".pth"):
        raise UserError(
            f"{path}: a {place.suffix} file is a pickle, which can run code; use its .safetensors"
        )
    if not place.exists():
        place = fetched(str(path), half)
    if place.is_file():
        raw, named = single_file.configs(place), single_file.renamed(tensors(place))
        words, files = CLIP_TOKENIZER, [("", place)]
    else:
        raw = {part: read_json(need(place, name)) for part, name in CONFIGS.items()}
        words, files = (
            place / "tokenizer",
            [(part, file) for part in PARTS for file in weight_files(place, part, half)],
        )
        named = (
            (f"{part}.{name}", tensor) for part, file in files for name, tensor in tensors(file)
        )
    try:
        sizes = {part: arguments(part, config) for part, config in raw.items()}
        if sizes["unet"]["cross_attention_dim"] != sizes["text_encoder"]["hidden_size"]:
            raise ValueError("the UNet's cross_attention_dim is not the text encoder's hidden_size")
        schedule = Schedule(**sizes["scheduler"])
        with torch.device("meta"), Undrawn():  # no memory is taken and nothing is drawn at random
            modules = nn.ModuleDict({part: build(**sizes[part]) for part, build in PARTS.items()})
    except (
        ValueError,
        TypeError,
        ArithmeticError,
        LookupError,
        RuntimeError,
    ) as error:  # such as 0 groups
        raise UserError(
            f"{path}: its config files make no model ({error}); get them again"
        ) from None
    tokenizer = load_tokenizer(words, sizes["text_encoder"])
    if place.is_file() and sizes["text_encoder"]["hidden_act"] == "gelu":
        tokenizer.pad = 0  # OpenCLIP's padding; of SD 2, a folder says so itself
    defaults = read_json(own) if (own := place / "tav.json").is_file() else {}
    fill(modules, named, device, dtype, path)
    hash = hashlib.sha256(
        repr([sizes, [file_digest(file) for _, file in files]]).encode()
    ).hexdigest()
    size = (raw["unet"].get("sample_size") or 64) * modules["vae"].factor
    return StableDiffusion(tokenizer, *modules.values(), schedule, str(path), hash, size, defaults)


class Undrawn(torch.overrides.TorchFunctionMode):
    """Leaves out the drawing of initial values, which on the meta device costs a second of imports,
    for nothing."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        drawing = getattr(function, "__module__", "") == "torch.nn.init"
        return None if drawing else function(*args, **(kwargs or {}))


def load_tokenizer(folder: Path, text: dict) -> Tokenizer:
    """The folder's tokenizer, no longer than the text encoder reads (some name a length of 1e30)."""
    try:
        tokenizer = Tokenizer.load(folder)
        if (pieces := tokenizer.bpe.get_vocab_size()) > text["vocab_size"]:
            raise ValueError(
                f"{pieces:,} pieces, but the text encoder knows {text['vocab_size']:,}"
            )
    except (
        Exception
    ) as error:  # the tokenizers library has no narrower kind for merges that do not fit
        raise UserError(
            f"{folder}: not CLIP's vocab.json and merges.txt ({error}); get them again"
        ) from None
    tokenizer.length = min(tokenizer.length, text["max_position_embeddings"])
    return tokenizer


def fill(
    module: nn.Module, named: Iterable, device: str, dtype: torch.dtype, origin: str | Path
) -> None:
    """Give every parameter of a meta module its tensor, strictly, whatever the age of the file;
    freeze it."""
    expected, found = module.state_dict(), {}  # mapped, not read yet
    for name, tensor in named:
        for old, new in OLD.items():
            name = re.sub(old, new, name)
        if re.search(r"\.(proj_in|proj_out|to_\w+(\.0)?)\.", name) and tensor.ndim == 4:
            tensor = tensor.flatten(1)  # 1x1 convolutions in SD 1's transformers and old VAEs
        if not name.endswith("position_ids"):
            found[name] = tensor
    shapes = [
        (n, tuple(t.shape), tuple(expected[n].shape)) for n, t in found.items() if n in expected
    ]
    faults = {
        "missing": [n for n in expected if n not in found],
        "unexpected": [n for n in found if n not in expected],
    }
    faults["of the wrong shape"] = [
        f"{n} {got} instead of {right}" for n, got, right in shapes if got != right
    ]
    told = [
        f"{len(n):,} {what} ({', '.join(n[:3])}{', ...' * (len(n) > 3)})"
        for what, n in faults.items()
        if n
    ]
    if told:
        raise UserError(
            f"{origin}: tensors: {', '.join(told)}; is it a whole Stable Diffusion 1.x or 2.x?"
        )
    module.load_state_dict(
        {name: tensor.to(device, dtype) for name, tensor in found.items()}, assign=True
    )
    module.eval().requires_grad_(False)


def load_clip(folder: str | Path, device: str = "cpu") -> tuple[CLIP, Tokenizer]:
    """CLIP from a folder of transformers' `CLIPModel`.

    UserError if it is not whole, or not of the kind known here.
    """
    folder, own = Path(folder), OWN["text_encoder"]  # transformers' defaults
    config = read_json(need(folder, "config.json"))
    looks = read_json(need(folder, "preprocessor_config.json"))
    try:
        text, vision = own | config["text_config"], own | VISION | config["vision_config"]
        settings = [*looks.items(), *text.items(), *vision.items()]
        if odd := {key: value for key, value in settings if FIXED.get(key, value) != value}:
            raise ValueError(odd)
        with torch.device("meta"), Undrawn():
            model = CLIP({k: text[k] for k in own}, vision, config.get("projection_dim", 512))
    except (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        what = f"not a CLIP of the kind known here ({error!r})"
        raise UserError(f"{folder}: {what}; use another") from None
    fill(model, tensors(need(folder, "model.safetensors")), device, torch.float32, folder)
    return model, load_tokenizer(folder, text)

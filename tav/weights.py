"""Stable Diffusion's safetensors -> modules (lesson 06).

`load` takes a folder in the diffusers layout, a single file in the original layout, or a hub id. Sizes
come from the folder's `config.json` files (for a single file: from the shapes of its tensors), so SD 1.x,
2.x and any smaller model of the family load with the same code. Every tensor is accounted for: a
missing, unexpected or wrongly shaped one is an error that names it. Nothing is ever unpickled.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from . import configs, single_file
from .errors import UserError
from .files import fetched, file_digest, need, opened, read_json, tensors, weight_files
from .schedule import Schedule
from .text import CLIPTextModel, Tokenizer
from .unet import UNet2DConditionModel
from .vae import AutoencoderKL

CLIP_TOKENIZER = Path(__file__).parents[1] / "weights" / "clip-tokenizer"
PARTS = {"text_encoder": CLIPTextModel, "vae": AutoencoderKL, "unet": UNet2DConditionModel}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class StableDiffusion:
    """The parts of one text-to-image model, frozen, on one device and in one dtype."""

    tokenizer: Tokenizer
    text_encoder: CLIPTextModel
    vae: AutoencoderKL
    unet: UNet2DConditionModel
    schedule: Schedule
    path: str  # where it came from, as the user named it
    hash: str  # sha256 of the weights' bytes
    size: int  # pixels along a side, as the UNet was trained
    defaults: dict = field(default_factory=dict)  # the weights' own settings: frames, steps, lr, examples ...

    @property
    def device(self) -> torch.device:
        return self.unet.conv_in.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.unet.conv_in.weight.dtype

    @torch.no_grad()
    def embed(self, prompts: str | list[str]) -> Tensor:
        """Text states (b, l, d) of b prompts."""
        return self.text_encoder(self.tokenizer(prompts).to(self.device))


def resolve(device: str | None, dtype: str | None) -> tuple[str, torch.dtype]:
    """The device and dtype to work in. None chooses: cuda, then mps, then cpu; half precision on cuda only."""
    device = device or ("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):  # a word that is no device, or a device that is not there
        raise UserError(f"device {device} is not there; cpu always is") from None
    if dtype is None and device.startswith("cuda"):
        dtype = "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"  # bf16 came with Ampere
    if (dtype or "fp32") not in DTYPES:
        raise UserError(f"unknown dtype {dtype}; choose one of {', '.join(DTYPES)}")
    return device, DTYPES[dtype or "fp32"]


def load(path: str | Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> StableDiffusion:
    """Load Stable Diffusion from a folder, a single `.safetensors` file or a hub id.

    Raises UserError, naming what is wrong, and never leaves a weight at a random value.
    """
    place = Path(path)
    if place.suffix.lower() in (".ckpt", ".bin", ".pt", ".pth"):
        raise UserError(f"{path}: a {place.suffix} file is a pickle, which can run code; use its .safetensors")
    if place.is_file():
        return load_single_file(place, device, dtype)
    hub_id = re.fullmatch(r"\w[\w.-]*/\w[\w.-]*(?<!\.safetensors)", str(path)) and not place.parent.exists()
    if not place.is_dir() and not hub_id:
        raise UserError(f"{path}: no such weights folder or file; see weights/README.md for where to get one")
    model = load_folder(place if place.is_dir() else fetched(str(path), half=dtype != torch.float32), device, dtype)
    model.path = str(path)
    return model


def load_folder(folder: Path, device: str, dtype: torch.dtype) -> StableDiffusion:
    """The diffusers layout: `unet/`, `vae/`, `text_encoder/`, each with config.json; tokenizer, scheduler."""
    raw = {part: read_json(need(folder, f"{part}/config.json")) for part in PARTS}
    sizes = {part: configs.arguments(part, config) for part, config in raw.items()}
    schedule = configs.schedule(read_json(need(folder, "scheduler/scheduler_config.json")))
    words, _ = need(folder, "tokenizer/vocab.json"), need(folder, "tokenizer/merges.txt")
    modules, digest = empty(sizes, folder), hashlib.sha256()
    for part, module in modules.items():
        files = weight_files(folder, part, half=dtype != torch.float32)
        digest.update("".join(map(file_digest, files)).encode())
        fill(module, (modern(*item) for file in files for item in tensors(file)), device, dtype, folder / part)
    own, side = folder / "tav.json", raw["unet"].get("sample_size")
    return StableDiffusion(
        load_tokenizer(words.parent, sizes["text_encoder"]),
        **modules,
        schedule=schedule,
        path=str(folder),
        hash=digest.hexdigest(),
        size=(side if isinstance(side, int) else 64) * modules["vae"].factor,
        defaults=read_json(own) if own.exists() else {},
    )


def load_single_file(path: Path, device: str, dtype: torch.dtype) -> StableDiffusion:
    """The original layout: UNet, VAE and text tower in one file, with names of their own and no config."""
    with opened(path) as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}
        try:
            sizes = single_file.sizes(shapes)
        except KeyError as error:
            raise UserError(f"{path}: no tensor {error}; is it a whole Stable Diffusion 1.x or 2.x file?") from None
        prediction = single_file.prediction_type(shapes, file.metadata() or {}, path)
        modules = empty(sizes, path)
        sources = {part: {n: single_file.source(part, n, sizes) for n in modules[part].state_dict()} for part in PARTS}
        used = {theirs for names in sources.values() for theirs, _ in names.values()}
        strangers = [name for name in shapes if name not in used and not single_file.IGNORED.match(name)]
        sources["unet"] |= {name: (name, None) for name in strangers}  # for `fill` to complain of
        for part, module in modules.items():
            found = [(ours, *place) for ours, place in sources[part].items() if place[0] in shapes]
            named = (modern(ours, file.get_tensor(theirs), third) for ours, theirs, third in found)
            fill(module, named, device, dtype, path)
    return StableDiffusion(
        load_tokenizer(CLIP_TOKENIZER, sizes["text_encoder"]),
        **modules,
        schedule=Schedule(prediction_type=prediction),
        path=str(path),
        hash=file_digest(path),
        size=768 if prediction == "v_prediction" else 512,
    )


def empty(sizes: dict[str, dict], origin: str | Path) -> dict[str, nn.Module]:
    """Modules of these sizes on the meta device: no memory is taken and nothing is drawn at random."""
    unet, latent, width = sizes["unet"], sizes["vae"]["latent_channels"], sizes["text_encoder"]["hidden_size"]
    for key, expected in {"in_channels": latent, "out_channels": latent, "cross_attention_dim": width}.items():
        if unet[key] != expected:
            other = "an inpainting UNet" if unet["in_channels"] == 9 else "not of one text-to-image model"
            raise UserError(f"{origin}: {other} (the UNet's {key} is {unet[key]}, not {expected}); use other weights")
    try:
        with torch.device("meta"), Undrawn():
            return {part: build(**sizes[part]) for part, build in PARTS.items()}
    except (ValueError, ArithmeticError, LookupError, RuntimeError) as error:  # such as no levels, or 0 groups
        raise UserError(f"{origin}: no model has such sizes ({error})") from None


class Undrawn(TorchFunctionMode):
    """Leaves out the drawing of initial values, which on the meta device costs a second of imports, for nothing."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        drawing = getattr(function, "__module__", "") == "torch.nn.init"
        return None if drawing else function(*args, **(kwargs or {}))


def load_tokenizer(folder: Path, text: dict) -> Tokenizer:
    """The folder's tokenizer, no longer than the text encoder reads (some name a length of 1e30)."""
    try:
        tokenizer = Tokenizer.load(folder)
    except Exception as error:  # the tokenizers library has no narrower kind for merges that do not fit
        raise UserError(f"{folder}: not CLIP's vocab.json and merges.txt ({error}); get them again") from None
    if (pieces := tokenizer.bpe.get_vocab_size()) > text["vocab_size"]:
        raise UserError(f"{folder}: {pieces:,} pieces, but the text encoder knows {text['vocab_size']:,}; get it again")
    tokenizer.length = min(tokenizer.length, text["max_position_embeddings"])
    return tokenizer


def modern(name: str, tensor: Tensor, third: int | None = None) -> tuple[str, Tensor]:
    """One tensor under the name and shape it has here, whatever the age of the file.

    Older VAEs call their attention query, key, value and proj_attn; single files keep its weights as 1x1
    convolutions, and OpenCLIP's as one (`third`: which part is meant). transformers 5 leaves out `text_model.`.
    """
    tensor = tensor if third is None else tensor.chunk(3)[third]
    for old, new in {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}.items():
        name = name.replace(f".{old}.", f".{new}.")
    if ".mid_block.attentions.0.to_" in name and tensor.ndim == 4:
        tensor = tensor.flatten(1)
    if name.startswith(("embeddings.", "encoder.layers.", "final_layer_norm.")):
        name = f"text_model.{name}"
    return name, tensor


def fill(module: nn.Module, named: Iterable, device: str, dtype: torch.dtype, origin: str | Path) -> None:
    """Give every parameter of a meta module its tensor, strictly; freeze it.

    `position_ids`, a buffer of old CLIP files that counts 0 ... 76, is passed over.
    """
    expected = module.state_dict()
    found = {name: tensor for name, tensor in named if not name.endswith("position_ids")}  # mapped, not read yet
    shapes = [(n, tuple(t.shape), tuple(expected[n].shape)) for n, t in found.items() if n in expected]
    faults = {
        "missing": [name for name in expected if name not in found],
        "unexpected": [name for name in found if name not in expected],
        "of the wrong shape": [f"{name} {got} instead of {right}" for name, got, right in shapes if got != right],
    }
    if text := "; ".join(f"{several(names)} {what}" for what, names in faults.items() if names):
        raise UserError(f"{origin}: {text}; is it a whole Stable Diffusion 1.x or 2.x, with its own config.json?")
    module.load_state_dict({name: tensor.to(device, dtype) for name, tensor in found.items()}, assign=True)
    module.eval().requires_grad_(False)


def several(names: list[str], shown: int = 3) -> str:
    """`1,131 tensors (a, b, c, ...)`: how many there are and what the first are called."""
    more = ", ..." if len(names) > shown else ""
    return f"{len(names):,} tensor{'s' * (len(names) != 1)} ({', '.join(names[:shown])}{more})"

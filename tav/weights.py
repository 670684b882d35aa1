"""Stable Diffusion's safetensors -> modules (lesson 06).

`load` takes a folder in the diffusers layout, a single file in the original layout, or a hub id. Sizes
come from the folder's `config.json` files (for a single file: from the shapes of its tensors), so SD 1.x,
2.x and any smaller model of the family load with the same code. Every tensor is accounted for: a
missing, unexpected or wrongly shaped one is an error that names it. Nothing is ever unpickled.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from . import configs, single_file
from .errors import UserError
from .schedule import Schedule
from .text import CLIPTextModel, Tokenizer
from .unet import UNet2DConditionModel
from .vae import AutoencoderKL

CLIP_TOKENIZER = Path(__file__).parents[1] / "weights" / "clip-tokenizer"
PARTS = {"text_encoder": "model", "vae": "diffusion_pytorch_model", "unet": "diffusion_pytorch_model"}

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


def load(path: str | Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> StableDiffusion:
    """Load Stable Diffusion from a folder, a single `.safetensors` file or a hub id.

    Raises UserError, naming what is wrong, and never leaves a weight at a random value.
    """
    place = Path(path)
    if place.suffix in (".ckpt", ".bin", ".pt", ".pth"):
        raise UserError(f"{path}: a {place.suffix} file is a pickle, which can run code; use its .safetensors")
    if place.is_dir():
        model = load_folder(place, device, dtype)
    elif place.is_file():
        model = load_single_file(place, device, dtype)
    elif place.is_absolute() or len(place.parts) != 2 or Path(place.parts[0]).exists():
        raise UserError(f"{path}: no such weights folder or file; see weights/README.md for where to get one")
    else:
        model = load_folder(download(str(path), half=dtype != torch.float32), device, dtype)
    model.path = str(path)
    return model


def load_folder(folder: Path, device: str, dtype: torch.dtype) -> StableDiffusion:
    """The diffusers layout: `unet/`, `vae/`, `text_encoder/`, each with config.json; tokenizer, scheduler."""
    for name in (*PARTS, "tokenizer", "scheduler"):
        if not (folder / name).is_dir():
            raise UserError(f"{folder}: no {name}/ folder in it; Stable Diffusion's diffusers layout has one")
    raw = {name: read_json(folder / name / "config.json") for name in PARTS}
    with torch.device("meta"):  # sizes only: no memory is taken and nothing is drawn at random
        modules = {
            "text_encoder": CLIPTextModel(**configs.text_encoder(raw["text_encoder"])),
            "vae": AutoencoderKL(**configs.vae(raw["vae"])),
            "unet": UNet2DConditionModel(**configs.unet(raw["unet"])),
        }
    digest = hashlib.sha256()
    for name, module in modules.items():
        files = find_files(folder / name, PARTS[name], half=dtype != torch.float32)
        for file in files:
            digest.update(file_digest(file).encode())
        fill(module, (modern(*item) for file in files for item in tensors(file)), device, dtype, folder / name)
    schedule = Schedule(**configs.scheduler(read_json(folder / "scheduler" / "scheduler_config.json")))
    own = folder / "tav.json"
    return StableDiffusion(
        tokenizer=Tokenizer.load(folder / "tokenizer"),
        **modules,
        schedule=schedule,
        path=str(folder),
        hash=digest.hexdigest(),
        size=raw["unet"].get("sample_size", 64) * modules["vae"].factor,
        defaults=read_json(own) if own.exists() else {},
    )


def load_single_file(path: Path, device: str, dtype: torch.dtype) -> StableDiffusion:
    """The original layout: UNet, VAE and text tower in one file, with names of their own and no config."""
    with opened(path) as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}
        sizes, prediction = single_file.sizes(shapes, file.metadata() or {}, path)
        with torch.device("meta"):
            modules = {
                "text_encoder": CLIPTextModel(**sizes["text_encoder"]),
                "vae": AutoencoderKL(**sizes["vae"]),
                "unet": UNet2DConditionModel(**sizes["unet"]),
            }
        used = set()
        for part, module in modules.items():
            sources = {name: single_file.source(part, name, sizes) for name in module.state_dict()}
            used |= {theirs for theirs, _ in sources.values()}
            found = ((name, file.get_tensor(s[0]), s[1]) for name, s in sources.items() if s[0] in shapes)
            fill(module, (modern(n, t if third is None else t.chunk(3)[third]) for n, t, third in found),
                 device, dtype, f"{path} ({part})")  # fmt: skip
    unexpected = [name for name in shapes if name not in used and not single_file.ignored(name)]
    if unexpected:
        raise UserError(f"{path}: {several(unexpected)} unexpected; is it a Stable Diffusion 1.x or 2.x file?")
    return StableDiffusion(
        tokenizer=Tokenizer.load(CLIP_TOKENIZER),
        **modules,
        schedule=Schedule(prediction_type=prediction),
        path=str(path),
        hash=file_digest(path),
        size=768 if prediction == "v_prediction" else 512,
    )


def resolve(device: str | None, dtype: str | None) -> tuple[str, torch.dtype]:
    """The device and dtype to work in. None chooses: cuda, then mps, then cpu; half precision on cuda only."""
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    device = device or next(name for name, there in here.items() if there)
    if not here.get(device.partition(":")[0]):
        raise UserError(f"device {device} is not there; this machine has {', '.join(d for d in here if here[d])}")
    half = "bf16" if device.startswith("cuda") and torch.cuda.is_bf16_supported() else "fp16"
    dtype = dtype or (half if device.startswith("cuda") else "fp32")
    if dtype not in DTYPES:
        raise UserError(f"unknown dtype {dtype}; choose one of {', '.join(DTYPES)}")
    return device, DTYPES[dtype]


# -------------------------------------------------------------------------------------------- reading


def opened(path: Path):
    """The safetensors file, open for reading tensor by tensor; UserError if it is damaged."""
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a whole safetensors file ({error}); download it again") from None


def tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Each name and tensor of a file, one at a time; the bytes are mapped from disk, not copied."""
    with opened(path) as file:
        for name in file.keys():
            yield name, file.get_tensor(name)


def modern(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    """One tensor under the name and shape it has here, whatever the age of the file.

    Older VAEs call their attention query, key, value and proj_attn; single files keep its weights as 1x1
    convolutions. transformers 5 writes text encoders without the `text_model.` in front.
    """
    old = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
    for a, b in old.items():
        name = name.replace(a, b)
    if ".mid_block.attentions.0.to_" in name and tensor.ndim == 4:
        tensor = tensor.flatten(1)
    if name.startswith(("embeddings.", "encoder.layers.", "final_layer_norm.")):
        name = "text_model." + name
    return name, tensor


def fill(module: nn.Module, named: Iterator, device: str, dtype: torch.dtype, origin: str | Path) -> None:
    """Give every parameter of a meta module its tensor, strictly; freeze it.

    `position_ids`, a buffer of old CLIP files that counts 0 ... 76, is passed over.
    """
    expected = module.state_dict()
    state, unexpected, misshapen = {}, [], []
    for name, tensor in named:
        if name.endswith("position_ids"):
            continue
        if name not in expected:
            unexpected.append(name)
        elif tensor.shape != expected[name].shape:
            misshapen.append(f"{name} {tuple(tensor.shape)} instead of {tuple(expected[name].shape)}")
        else:
            state[name] = tensor.to(device, dtype)
    missing = [name for name in expected if name not in state and not any(name in m for m in misshapen)]
    faults = {"missing": missing, "unexpected": unexpected, "of the wrong shape": misshapen}
    if any(faults.values()):
        text = "; ".join(f"{several(names)} {what}" for what, names in faults.items() if names)
        raise UserError(f"{origin}: {text}; the files and config.json do not belong together")
    module.load_state_dict(state, strict=True, assign=True)
    module.eval().requires_grad_(False)


def several(names: list[str], shown: int = 3) -> str:
    """`1,131 tensors (a, b, c, ...)`: how many there are and what the first are called."""
    more = ", ..." if len(names) > shown else ""
    return f"{len(names):,} tensor{'s' * (len(names) != 1)} ({', '.join(names[:shown])}{more})"


def read_json(path: Path) -> dict:
    """The object in a JSON file; UserError if there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; the weights folder is incomplete") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); download it again") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: not a JSON object; download it again")
    return value


def find_files(folder: Path, stem: str, half: bool) -> list[Path]:
    """The safetensors files of one part: whole or sharded, fp32 or `.fp16.`, the asked-for precision first."""
    for variant in (".fp16", "") if half else ("", ".fp16"):
        whole = folder / f"{stem}{variant}.safetensors"
        index = folder / f"{stem}.safetensors.index{variant}.json"
        if whole.exists():
            return [whole]
        if index.exists():
            shards = sorted(set(read_json(index).get("weight_map", {}).values()))
            if absent := [s for s in shards if not (folder / s).is_file()]:
                raise UserError(f"{folder / absent[0]}: no such file, but {index.name} lists it; download it again")
            return [folder / s for s in shards]
    if list(folder.glob("*.bin")):
        raise UserError(f"{folder}: only pickled .bin weights, which can run code; get the .safetensors files")
    raise UserError(f"{folder}: no {stem}.safetensors in it; see weights/README.md for which files are needed")


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---------------------------------------------------------------------------------------------- the hub


def download(repo: str, half: bool) -> Path:
    """Fetch a hub repository's files, only the needed ones and only once; returns the local folder."""
    import huggingface_hub  # here, because a run from local weights has no use for it

    try:
        there = set(huggingface_hub.list_repo_files(repo))
        chosen = wanted(there, half)
        return Path(huggingface_hub.snapshot_download(repo, allow_patterns=chosen))
    except UserError:
        raise
    except Exception as error:  # the hub client raises many kinds: offline, no such id, gated, full disk
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"cannot fetch {repo} from the hub: {reason}; pass a local folder to --weights") from None


def wanted(there: set[str], half: bool) -> list[str]:
    """The files of a hub repository that `load_folder` reads: one precision, no safety checker, no pickles."""
    chosen = {f for f in there if f.startswith(("tokenizer/", "scheduler/"))} | (
        there & {"model_index.json", "tav.json"}
    )
    for part, stem in PARTS.items():
        for variant in (".fp16", "") if half else ("", ".fp16"):
            files = {f for f in there if f.startswith(f"{part}/{stem}") and f.endswith((".safetensors", ".json"))}
            files = {f for f in files if (".fp16" in f) == bool(variant) and ".non_ema" not in f}
            if files:
                chosen |= files | {f"{part}/config.json"}
                break
        else:
            raise UserError(f"no safetensors for {part} in that repository; pickled weights are never loaded")
    return sorted(chosen)

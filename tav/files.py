"""The files of a model: JSON and safetensors, in a folder or on the hub; nothing pickled (lesson 06)."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .errors import UserError


def opened(path: Path):
    """The safetensors file, open for reading tensor by tensor; UserError if it is damaged."""
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a whole safetensors file ({error}); get it again") from None


def tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Each name and tensor of a file, one at a time; the bytes are mapped from disk, not copied."""
    with opened(path) as file:
        for name in file.keys():
            yield name, file.get_tensor(name)


def read_json(path: Path) -> dict:
    """The object in a JSON file; UserError if there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # no such file, not UTF-8, not JSON
        raise UserError(f"{path}: cannot be read as JSON ({error}); get it again") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: not a JSON object; get it again")
    return value


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# ------------------------------------------------------------------- the diffusers layout, here or on the hub

STEMS = {"unet": "unet/diffusion_pytorch_model", "vae": "vae/diffusion_pytorch_model"}
STEMS["text_encoder"] = "text_encoder/model"
SMALL = [f"{part}/config.json" for part in STEMS] + ["scheduler/scheduler_config.json", "tav.json"]
SMALL += [f"tokenizer/{n}" for n in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json")]


def need(folder: Path, name: str) -> Path:
    """The file of that name; UserError if there is none."""
    if not (folder / name).is_file():
        raise UserError(f"{folder}: no {name} in it; see weights/README.md for what belongs there")
    return folder / name


def weight_files(folder: Path, part: str, half: bool) -> list[Path]:
    """A part's safetensors files: whole or sharded, fp32 or `.fp16.`, the asked-for precision first."""
    for variant in (".fp16", "") if half else ("", ".fp16"):
        if (whole := folder / f"{STEMS[part]}{variant}.safetensors").is_file():
            return [whole]
        if (index := folder / f"{STEMS[part]}.safetensors.index{variant}.json").is_file():
            shards = set(read_json(index).get("weight_map", {}).values())
            return [need(folder, f"{part}/{shard}") for shard in sorted(shards)]
    raise UserError(f"{folder}: no {STEMS[part]}.safetensors in it (pickled weights are never loaded); get that file")


def fetched(repo: str, half: bool) -> Path:
    """The local copy of a hub repository: only files that are needed, in one precision, fetched only once."""
    for variant in (".fp16", "") if half else ("",):
        kinds = (f"{variant}.safetensors", f"{variant}-*-of-*.safetensors", f".safetensors.index{variant}.json")
        wanted = [f"{stem}{kind}" for stem in STEMS.values() for kind in kinds]
        try:
            folder = Path(huggingface_hub.snapshot_download(repo, allow_patterns=SMALL + wanted))
        except Exception as error:  # of many kinds: offline, no such repository, one behind a licence, a full disk
            why = f"no such folder here, and the hub does not give it: {error}"
            raise UserError(f"{repo}: {' '.join(why.split())}") from None
        if all(any(folder.glob(f"{stem}{variant}*.safetensors")) for stem in STEMS.values()):
            break
    return folder

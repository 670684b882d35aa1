"""The files of a model, in a folder or on the hub; nothing pickled (lesson 06)."""

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import chain, product
from pathlib import Path

import huggingface_hub
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .cli import UserError


def tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Each name and tensor of a safetensors file, mapped from disk, not copied.

    UserError if the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                yield name, file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        what = f"{path}: not a whole safetensors file ({error})"
        advice = "one that a run made, delete, and continue the run with tune.py --resume"
        raise UserError(f"{what}; get it again; {advice}") from None


def read_json(path: Path) -> dict:
    """The object in a JSON file; UserError if there is none."""
    try:
        return {**json.loads(path.read_text(encoding="utf-8"))}
    # It cannot be read, is not UTF-8 or not JSON, is no object, or is nested thousands deep.
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}); get it again") from None


def required(folder: Path, name: str) -> Path:
    """The file of that name; UserError if there is none."""
    if not (folder / name).is_file():
        raise UserError(f"{folder}: no {name} in it; see weights/README.md for what belongs there")
    return folder / name


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


STEMS = {
    "vae": "vae/diffusion_pytorch_model",
    "unet": "unet/diffusion_pytorch_model",
    "text_encoder": "text_encoder/model",
}
ENDS = (".safetensors", "-*-of-*.safetensors")  # a part's whole file, or its shards
# Before these ends: full precision goes before half, whatever the dtype, so that a run finds the
# same weights in any.
VARIANTS = ("", ".fp16")
CONFIGS = {
    "vae": "vae/config.json",
    "unet": "unet/config.json",
    "text_encoder": "text_encoder/config.json",
    "scheduler": "scheduler/scheduler_config.json",
}
SMALL = [*CONFIGS.values(), "tokenizer/*.json", "tokenizer/merges.txt", "tav.json"]


def weight_files(folder: Path, part: str) -> list[Path]:
    """The safetensors of a part: the whole file or, if there is none, its shards."""
    for variant, end in product(VARIANTS, ENDS):
        files = sorted(folder.glob(STEMS[part] + variant + end))
        if files:
            return files
    what = f"{folder}: no {STEMS[part]}.safetensors in it (pickled weights are never loaded)"
    raise UserError(f"{what}; get that file")


def fetched(name: str) -> Path:
    """The local copy of a hub repository: only the files that are needed, and only once."""
    if name.startswith("weights/"):  # the repository's own, seen from another folder; no hub id
        what = "no such weights folder or file"
        advice = "work where it lies (weights/mini: tav's repository) or give its whole path"
        raise UserError(f"{name}: {what}; {advice}")
    is_hub_id = re.fullmatch(r"\w[\w.-]*/\w[\w.-]*(?<!\.safetensors)", name)
    if not is_hub_id or Path(name).parent.exists():
        what = f"{name}: no such weights folder or file"
        raise UserError(f"{what}; see weights/README.md for where to get one")
    for variant in VARIANTS:
        patterns = [[stem + variant + end for end in ENDS] for stem in STEMS.values()]
        wanted = [*SMALL, *chain(*patterns)]
        try:
            folder = Path(huggingface_hub.snapshot_download(name, allow_patterns=wanted))
        # Of many kinds: offline, no such repository, one behind a licence, a full disk.
        except Exception as error:
            what = f"{name}: no such folder here, and the hub does not give it"
            raise UserError(f"{what}: {error}") from None
        if all(any(file for end in ends for file in folder.glob(end)) for ends in patterns):
            break
    return folder

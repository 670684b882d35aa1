"""The files of a model, in a folder or on the hub; nothing pickled (lesson 06)."""

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import product
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


STEMS = {part: f"{part}/diffusion_pytorch_model" for part in ("vae", "unet")} | {
    "text_encoder": "text_encoder/model"
}
ENDS = (".safetensors", "-*-of-*.safetensors")  # a part's whole file, or its shards
VARIANTS = {
    False: ("", ".fp16"),
    True: (".fp16", ""),
}  # by whether half precision is wanted: what comes first
CONFIGS = {part: f"{part}/config.json" for part in STEMS} | {
    "scheduler": "scheduler/scheduler_config.json"
}
SMALL = [*CONFIGS.values(), "tokenizer/*.json", "tokenizer/merges.txt", "tav.json"]


def weight_files(folder: Path, part: str, half: bool) -> list[Path]:
    """The safetensors of a part: the whole file or, if there is none, its shards."""
    for variant, end in product(VARIANTS[half], ENDS):
        if files := sorted(folder.glob(STEMS[part] + variant + end)):
            return files
    raise UserError(
        f"{folder}: no {STEMS[part]}.safetensors in it "
        "(pickled weights are never loaded); get that file"
    )


def fetched(name: str, half: bool) -> Path:
    """The local copy of a hub repository: only files that are needed, in one precision, fetched
    only once."""
    if name.startswith("weights/"):  # the repository's own, seen from another folder; no hub id
        what = "no such weights folder or file"
        advice = "work where it lies (weights/mini: tav's repository) or give its whole path"
        raise UserError(f"{name}: {what}; {advice}")
    if (
        not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*(?<!\.safetensors)", name)
        or Path(name).parent.exists()
    ):
        raise UserError(
            f"{name}: no such weights folder or file; see weights/README.md for where to get one"
        )
    for variant in VARIANTS[half]:
        wanted = [[stem + variant + end for end in ENDS] for stem in STEMS.values()]
        try:
            folder = Path(
                huggingface_hub.snapshot_download(name, allow_patterns=SMALL + sum(wanted, []))
            )
        except (
            Exception
        ) as error:  # of many kinds: offline, no such repository, one behind a licence, a full disk
            raise UserError(
                f"{name}: no such folder here, and the hub does not give it: {error}"
            ) from None
        if all(any(file for pattern in ends for file in folder.glob(pattern)) for ends in wanted):
            break
    return folder

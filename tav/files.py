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


class Folder:
    """A model's files by their names in the diffusers layout, such as `unet/config.json`."""

    def __init__(self, path: str):
        self.path = path

    def find(self, name: str) -> Path | None:
        file = Path(self.path, name)
        return file if file.is_file() else None

    def need(self, name: str) -> Path:
        if file := self.find(name):
            return file
        raise UserError(f"{self.path}: no {name} in it; see weights/README.md for what belongs there")

    def weights(self, part: str, half: bool) -> list[Path]:
        """A part's safetensors files: whole or sharded, fp32 or `.fp16.`, the asked-for precision first."""
        stem = f"{part}/{'model' if part == 'text_encoder' else 'diffusion_pytorch_model'}"
        for variant in (".fp16", "") if half else ("", ".fp16"):
            if whole := self.find(f"{stem}{variant}.safetensors"):
                return [whole]
            if index := self.find(f"{stem}.safetensors.index{variant}.json"):
                shards = set(read_json(index).get("weight_map", {}).values())
                return [self.need(f"{part}/{shard}") for shard in sorted(shards)]
        raise UserError(f"{self.path}: no {stem}.safetensors in it (pickled weights are never loaded); get that file")


class Hub(Folder):
    """The same for a hub id: huggingface-hub fetches a file when it is asked for, and keeps it for the next time."""

    def __init__(self, path: str):
        super().__init__(path)
        try:
            self.there = {file.rfilename for file in huggingface_hub.model_info(path).siblings}
        except Exception as error:  # of many kinds: offline, no such repository, one that asks for a licence
            self.there = None
            if not self.find("unet/config.json"):  # else what was kept may be enough
                why = f"no such folder here, and the hub cannot be asked: {error}"
                raise UserError(f"{path}: {' '.join(why.split())}") from None

    def find(self, name: str) -> Path | None:
        if self.there is not None and name not in self.there:
            return None
        try:
            return Path(huggingface_hub.hf_hub_download(self.path, name, local_files_only=self.there is None))
        except huggingface_hub.utils.LocalEntryNotFoundError:
            return None
        except Exception as error:  # the line was cut, the disk is full
            raise UserError(f"{self.path}: cannot fetch {name}: {' '.join(str(error).split())}; try again") from None

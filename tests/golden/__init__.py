"""Golden tensors: the reference libraries' outputs, written by make.py, read by the tests."""

import json
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

HERE = Path(__file__).parent


def sizes(name: str) -> dict:
    """The arguments of tav's constructor for the model of that name."""
    return json.loads((HERE / "sizes.json").read_text(encoding="utf-8"))[name]


def read(name: str) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """State dict (in fp32), inputs and expected outputs of NAME.safetensors."""
    groups = {"weights": {}, "in": {}, "out": {}}
    for key, value in load_file(HERE / f"{name}.safetensors").items():
        group, _, rest = key.partition(".")
        groups[group][rest] = value.float() if group == "weights" else value
    return groups["weights"], groups["in"], groups["out"]

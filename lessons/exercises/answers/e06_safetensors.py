"""Exercise 06, 1: a reader for safetensors files."""

import json
import struct

import torch
from torch import Tensor

DTYPES = {"F16": torch.float16, "F32": torch.float32, "I64": torch.int64}


def read(data: bytes) -> dict[str, Tensor]:
    return from_byte(data, 8 + struct.unpack("<Q", data[:8])[0])


def from_byte(data: bytes, start: int) -> dict[str, Tensor]:
    header, found = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]]), {}
    header.pop("__metadata__", None)
    for name, about in header.items():
        begin, end = about["data_offsets"]
        part = bytearray(data[start + begin : start + end])
        found[name] = torch.frombuffer(part, dtype=DTYPES[about["dtype"]]).view(about["shape"])
    return found


def length_forgotten(data: bytes) -> dict[str, Tensor]:
    return from_byte(data, struct.unpack("<Q", data[:8])[0])


def all_of_one_type(data: bytes) -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in read(data).items()}


def column_by_column(data: bytes) -> dict[str, Tensor]:
    return {
        name: tensor.reshape(tensor.shape[::-1]).permute(*range(tensor.ndim)[::-1])
        for name, tensor in read(data).items()
    }


WRONG = [length_forgotten, all_of_one_type, column_by_column]

"""Several processes at one job, as torchrun starts them: one a GPU, or on the CPU (lesson 13)."""

import atexit
import os

import torch.distributed as dist
from torch import Tensor

# torchrun sets both variables; without it this process is the only one.
RANK = int(os.environ.get("RANK", 0))  # the number of this process
RANKS = int(os.environ.get("WORLD_SIZE", 1))  # how many there are


def join(device: str) -> str:
    """Meet the other processes, each of which has come so far; returns this one's own device."""
    if RANKS == 1:
        return device
    dist.init_process_group()  # gloo for tensors on the CPU, nccl for those on GPUs
    atexit.register(dist.destroy_process_group)
    return f"cuda:{os.environ['LOCAL_RANK']}" if device.startswith("cuda") else device


def add_up(tensors: list[Tensor]) -> None:
    """In place: each tensor becomes its sum over the processes."""
    if RANKS == 1:
        return
    for tensor in tensors:
        dist.all_reduce(tensor)

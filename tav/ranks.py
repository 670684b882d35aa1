"""Several processes working on one job, started by torchrun, one for each GPU (lesson 13)."""

import os

import torch.distributed as dist
from torch import Tensor

# torchrun sets both variables; without it this process is the only one.
RANK = int(os.environ.get("RANK", 0))  # this process's number, from 0
RANKS = int(os.environ.get("WORLD_SIZE", 1))  # how many there are


def add_up(tensors: list[Tensor]) -> None:
    """In place: each tensor becomes its sum over the processes."""
    if RANKS == 1:
        return
    for tensor in tensors:
        dist.all_reduce(tensor)

"""Several processes working on one job, started by torchrun, one for each GPU (lesson 13)."""

import os

import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """This process's number, from 0. torchrun sets the variable; without it there is only one."""
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", 1))


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """The sum of all processes' tensors; with one process, the tensor itself."""
    if world_size() == 1:
        return tensor
    total = tensor.clone()
    dist.all_reduce(total)
    return total

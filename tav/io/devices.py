"""Where to compute, and in which precision (lesson 13)."""

import atexit
import ctypes
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from ..ranks import world_size
from .cli import PRECISIONS, UserError

DTYPES = dict(zip(PRECISIONS, (torch.float32, torch.bfloat16, torch.float16)))
CPUINFO = Path("/proc/cpuinfo")
# From so many weights on, a UNet works in bf16 on a CPU that has instructions for it: there a step
# of tuning SD 1.4, with 860 million, takes 0.57 times as long, and one of sampling 0.65.
LARGE = 100_000_000


def resolve(
    device: str | None, dtype: str | None, run: dict | None = None
) -> tuple[str, torch.dtype | None]:
    """The device and dtype to work in, where None chooses.

    The device is cuda if there is one, else the cpu. The dtype is that of a `run` (its settings) on
    the same kind of device; else fp16 on cuda, fp32 on mps; on the CPU it stays None, because it
    depends on the model (`default_dtype`), and freed memory is kept from now on.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    kind = device.partition(":")[0]
    device = own_device(device) if world_size() > 1 else device
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):  # a word that is no device, or one that is not there
        raise UserError(f"device {device} is not there; cpu always is") from None
    if dtype is None and run and run.get("device", "cpu").partition(":")[0] == kind:
        dtype = run["dtype"]
    elif dtype is None and kind != "cpu":
        dtype = "fp16" if kind == "cuda" else "fp32"
    if kind == "cpu":
        keep_freed_memory()
    return device, DTYPES[dtype] if dtype else None


def keep_freed_memory() -> None:
    """Tell glibc to keep what one step frees for the next, instead of giving it back to the system.

    To fault it in again takes 10 to 20 % of a step of SD 1.4. Other C libraries have no mallopt.
    """
    if hasattr(ctypes.pythonapi, "mallopt"):
        mallopt = ctypes.pythonapi.mallopt
        mallopt(-1, -1)  # M_TRIM_THRESHOLD: give nothing back from the end of the heap
        mallopt(-4, 0)  # M_MMAP_MAX: take no large piece from outside the heap
        mallopt(-8, 1)  # M_ARENA_MAX: one heap for all threads


def own_device(device: str) -> str:
    """The device of this process, of those that torchrun started; waits until all have called."""
    if device.startswith("cuda"):
        number, processes = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
        gpus = torch.cuda.device_count()
        if processes > gpus:
            if number:
                sys.exit(2)  # the first one says it for all
            what = f"{processes} processes and {gpus} GPUs"
            raise UserError(f"{what}; start torchrun with --nproc_per_node {gpus}")
        torch.cuda.set_device(number)  # before anything else, which would go to the first GPU
        device = f"cuda:{number}"
    dist.init_process_group()  # gloo for tensors on the CPU, nccl for those on GPUs
    atexit.register(dist.destroy_process_group)
    return device


def default_dtype(unet: nn.Module) -> torch.dtype:
    """bf16 for a large UNet on a CPU that has instructions for it (Linux says so), else fp32."""
    flags = CPUINFO.read_text().split() if CPUINFO.is_file() else []
    fast = "avx512_bf16" in flags or "amx_bf16" in flags
    large = sum(p.numel() for p in unet.parameters()) >= LARGE
    return torch.bfloat16 if fast and large else torch.float32

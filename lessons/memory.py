"""How lesson 13 counts the memory of a tuning step of Stable Diffusion 1.4, which it cannot run.

On the meta device tensors have shapes but no numbers, so that a step on 24 frames of 512 x 512
takes seconds and no memory. PyTorch has no fused attention there; `FusedAttention` stands in for
it, and keeps as much.
"""

import weakref
from collections.abc import Callable
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import tav
from tav.unet import UNet2DConditionModel

SD14 = [320, 640, 1280, 1280], 2, [8] * 4, [True, True, True, False], 768


class Alive(TorchDispatchMode):
    """While it is active: the bytes of all tensors that operations have made and that are still
    referred to, in `curve` after each operation. Weights are not counted."""

    def __init__(self, weights):
        super().__init__()
        self.bytes, self.curve = 0, []
        self.known = {weight.untyped_storage()._cdata for weight in weights}  # _cdata: which one

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            storage = isinstance(x, Tensor) and x.untyped_storage()  # tensors may share it
            if storage and storage._cdata not in self.known:
                self.known.add(storage._cdata)
                self.bytes += storage.nbytes()
                weakref.finalize(storage, self.freed, storage._cdata, storage.nbytes())
        self.curve.append(self.bytes)
        return result

    def freed(self, which, size):
        self.known.remove(which)
        self.bytes -= size


class FusedAttention(torch.autograd.Function):
    """Attention in tiles, as far as memory goes: the scores are never there as a whole."""

    @staticmethod
    def forward(ctx, q, k, v):
        b, heads, n, e = q.shape
        result = q.new_empty(b, n, heads, e).transpose(1, 2)
        sums = q.new_empty(b, heads, n, dtype=torch.float32)  # the softmax's, for each query
        ctx.save_for_backward(q, k, v, result, sums)
        return result

    @staticmethod
    def backward(ctx, gradient):
        q, k, v, *_ = ctx.saved_tensors
        return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)


def sd14(frames: int) -> tuple[nn.Module, Callable[[], None]]:
    """The video UNet of SD 1.4 in fp16 on the meta device, with what trains marked; and a function
    that does a step on so many frames of 512 x 512 pixels, up to the gradients."""
    with torch.device("meta"):
        unet = tav.inflate(UNet2DConditionModel(*SD14)).half()
        x, noise = torch.empty(2, frames, 4, 64, 64)
        t, text = torch.empty(1), torch.empty(1, 77, 768).half()
    tav.trainable(unet)

    def step():
        F.mse_loss(unet(x.half(), t, text, frames).float(), noise).backward()

    return unet, step


def memory_over_time(unet: nn.Module, step: Callable[[], None]) -> Tensor:
    """The GB that a step has beside the weights, after each of its operations."""

    def attention(q, k, v, is_causal=False):
        return FusedAttention.apply(q, k, v)

    with mock.patch.object(F, "scaled_dot_product_attention", attention):
        with Alive(unet.parameters()) as alive:
            step()
    unet.zero_grad()
    return torch.tensor(alive.curve) / 1e9

"""How lesson 13 counts: the bytes that autograd keeps, and the FLOPs, of a UNet that may be too
large to run.

On the meta device tensors have shapes but no numbers. There PyTorch has no fused attention, so
`with_attention` says what stands in for it: `kernel`, which keeps what the fused one keeps, or
`by_hand`, which keeps the scores as well.
"""

import re
from collections import Counter
from contextlib import contextmanager
from unittest import mock

import torch
import torch.nn.functional as F

import tav
from tav.unet import UNet2DConditionModel


@contextmanager
def names_at_work(module):
    """A list whose last entry is the name of the submodule that is at work, while the module
    runs."""
    names, hooks = [""], []

    def leave(*_):
        names.pop()

    for name, part in module.named_modules():
        hooks.append(part.register_forward_pre_hook(lambda *_, name=name: names.append(name)))
        hooks.append(part.register_forward_hook(leave))
    yield names
    for hook in hooks:
        hook.remove()


def kept(module, run):
    """The bytes that autograd keeps of run(), by the name of the submodule that was at work; and
    what run() returns."""
    weights = {p.untyped_storage()._cdata for p in module.parameters()}  # _cdata: which storage
    found = {}

    def keep(x):
        storage = x.untyped_storage()
        if storage._cdata not in weights:
            found.setdefault(storage._cdata, (storage, names[-1]))
        return x

    with names_at_work(module) as names:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            result = run()
    total = Counter()
    for storage, name in found.values():
        total[name] += storage.nbytes()
    return total, result


# ---- attention


def by_hand(q, k, v, is_causal=False):
    """Attention as its equation says, whose scores autograd keeps."""
    return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1) @ v


class Kernel(torch.autograd.Function):
    """Fused attention, as far as memory goes. It has no backward pass."""

    @staticmethod
    def forward(ctx, q, k, v):
        # lies there as b n heads e
        result = by_hand(q, k, v).transpose(1, 2).contiguous().transpose(1, 2)
        sums = torch.empty(q.shape[:-1], dtype=torch.float32, device=q.device)
        ctx.save_for_backward(q, k, v, result, sums)
        return result


def kernel(q, k, v, is_causal=False):
    return Kernel.apply(q, k, v)


def with_attention(function):
    """A context in which this function is PyTorch's attention."""
    return mock.patch.object(F, "scaled_dot_product_attention", function)


# ---- whole UNets


def shapes_only(sizes, frames, side, words, dtype):
    """A video UNet on the meta device, with what trains marked, and a function that does its
    forward pass on `frames` latents of `side` x `side` and text states of the shape `words`."""
    with torch.device("meta"):
        unet = tav.inflate(UNet2DConditionModel(*sizes)).to(dtype)
        x, t, text = torch.empty(frames, 4, side, side), torch.empty(1), torch.empty(1, *words)
    tav.trainable(unet)
    return unet, lambda: unet(x.to(dtype), t, text.to(dtype), frames)


def count_weights(unet):
    """How many weights it has, and how many of them train."""
    counts = [(p.numel(), p.requires_grad) for p in unet.parameters()]
    return sum(count for count, _ in counts), sum(count for count, trains in counts if trains)


def accounts_in_gb(unet, activations):
    """For each name its bytes of activations, weights in bf16, and fp32 state of AdamW: all in
    GB."""
    weights, trained = count_weights(unet)
    fixed = {"weights": 2 * weights / 1e9, "AdamW": 16 * trained / 1e9}
    return {name: fixed | {"activations": size / 1e9} for name, size in activations.items()}


@contextmanager
def checkpointed(levels):
    """A context in which these levels of a UNet keep only the inputs of their steps."""
    for level in levels:
        level.checkpointing = True
    yield
    for level in levels:
        level.checkpointing = False


def largest_step(sizes):
    """The bytes of the step of a level that keeps most, from bytes by name of a module.

    `down_blocks.0.attentions.1. ...` belongs to step 1 of the level `down_blocks.0`.
    """
    steps = Counter()
    for name, size in sizes.items():
        if step := re.match(r"(.*_block(?:s\.\d)?)\.(?:resnets|attentions)\.(\d)", name):
            steps[step.groups()] += size
    return max(steps.values())


KINDS = {"attn1": "linear layers of SC-Attn", "attn2": "cross-attention"}
KINDS |= {"ff": "feed-forward", "attn_temp": "Temp-Attn"}


def by_part(flops):
    """FLOPs by part of the UNet; of SC-Attn, the products with keys and values by themselves."""
    counts, total = flops.get_flop_counts(), Counter()
    for name, operations in counts.items():
        if kind := KINDS.get(name.split(".")[-1]):
            products = operations.get(torch.ops.aten.bmm, 0) if kind.endswith("SC-Attn") else 0
            total[kind] += sum(operations.values()) - products
            total["scores of SC-Attn"] += products
    total["convolutions"] = counts["Global"][torch.ops.aten.convolution]
    total["other"] = flops.get_total_flops() - total.total()
    return total

"""Exercise 13: keep the input alone, and compute the rest again."""

import torch


class Checkpoint(torch.autograd.Function):
    """The function comes along in ctx; autograd runs `forward` without a graph."""

    @staticmethod
    def forward(ctx, function, x):
        ctx.function = function
        ctx.save_for_backward(x)
        return function(x)

    @staticmethod
    def backward(ctx, gradient):
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            y = ctx.function(x)
        torch.autograd.backward(y, gradient)  # the weights inside get theirs here
        return None, x.grad


def checkpointed(function, x):
    return Checkpoint.apply(function, x)


class ForTheInputOnly(Checkpoint):
    @staticmethod
    def backward(ctx, gradient):
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            y = ctx.function(x)
        return None, *torch.autograd.grad(y, x, gradient)


WRONG = ForTheInputOnly.apply

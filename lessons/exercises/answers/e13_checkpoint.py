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


class InputCutOff(Checkpoint):
    @staticmethod
    def backward(ctx, gradient):
        Checkpoint.backward(ctx, gradient)
        return None, None


class AsIfTheGradientWereOne(Checkpoint):
    @staticmethod
    def backward(ctx, gradient):
        return Checkpoint.backward(ctx, torch.ones_like(gradient))


class KeepsTheResultToo(Checkpoint):
    @staticmethod
    def forward(ctx, function, x):
        ctx.function, y = function, function(x)
        ctx.save_for_backward(x, y)
        return y


def keeps_everything(function, x):
    return function(x)


def no_graph(function, x):
    with torch.no_grad():
        y = function(x)
    return y + 0 * x.sum()


WRONG = [keeps_everything, no_graph]
WRONG += [
    each.apply for each in (ForTheInputOnly, InputCutOff, AsIfTheGradientWereOne, KeepsTheResultToo)
]

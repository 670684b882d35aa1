"""Exercise 05, 1: guidance by several prompts at once."""

from torch import Tensor


def guided(predictions: Tensor, guidance: Tensor) -> Tensor:
    empty, prompts = predictions[0], predictions[1:]
    return empty + (guidance.view(-1, 1, 1, 1) * (prompts - empty)).sum(dim=0)


def counted_from_zero(predictions: Tensor, guidance: Tensor) -> Tensor:
    return guided(predictions, 1 + guidance)


WRONG = counted_from_zero

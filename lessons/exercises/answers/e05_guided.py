"""Exercise 05, 1: classifier-free guidance."""

from torch import Tensor


def guided(predictions: Tensor, guidance: float) -> Tensor:
    negative, prompt = predictions.chunk(2)
    return negative + guidance * (prompt - negative)


def prompts_first(predictions: Tensor, guidance: float) -> Tensor:
    return guided(predictions.roll(len(predictions) // 2, dims=0), guidance)


def counted_from_zero(predictions: Tensor, guidance: float) -> Tensor:
    return guided(predictions, 1 + guidance)


def taking_turns(predictions: Tensor, guidance: float) -> Tensor:
    negative, prompt = predictions[::2], predictions[1::2]
    return negative + guidance * (prompt - negative)


WRONG = [prompts_first, counted_from_zero, taking_turns]

"""Exercise 05, 1: guidance that does not make the prediction larger."""

from torch import Tensor


def rescaled(from_negative: Tensor, from_prompt: Tensor, guidance: float, share: float) -> Tensor:
    guided = from_negative + guidance * (from_prompt - from_negative)
    of_image = {"dim": (1, 2, 3), "keepdim": True}  # b 1 1 1
    smaller = guided * from_prompt.std(**of_image) / guided.std(**of_image)
    return share * smaller + (1 - share) * guided


def over_the_batch(
    from_negative: Tensor, from_prompt: Tensor, guidance: float, share: float
) -> Tensor:
    guided = from_negative + guidance * (from_prompt - from_negative)
    return guided * (share * from_prompt.std() / guided.std() + 1 - share)


WRONG = over_the_batch

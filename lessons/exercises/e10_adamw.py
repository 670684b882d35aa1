"""Exercise 10: a step of AdamW, without `torch.optim`."""

from torch import Tensor


def adamw(
    weight: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, lr: float, decay: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The weight after step number `step`, from 1, and the new running means m and v.

    All tensors have one shape; m and v are zero before step 1. m keeps 0.9 of what it was, and v
    keeps 0.999. Divide by 1 - 0.9^step and 1 - 0.999^step to correct them for having started at
    zero. `decay` is the weight decay, and 1e-8 is added to the root.
    """
    raise NotImplementedError

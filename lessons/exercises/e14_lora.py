"""Exercise 14, 2: a linear layer that learns by two thin matrices only."""

from torch import Tensor, nn


class LoRA(nn.Module):
    """A trained linear layer W x + b, and what it learns in addition:

        W x + b + alpha / rank * B A x

    A (rank, in) has random initial values, B (out, rank) is zero, so that at first this is the
    layer as it was. `layer` is frozen: only A and B train.
    """

    def __init__(self, layer: nn.Linear, rank: int, alpha: float):
        super().__init__()
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError

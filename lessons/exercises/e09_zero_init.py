"""Exercise 09, 2: a new layer that begins as nothing."""

from torch import Tensor, nn


class Added(nn.Module):
    """A layer to put into a trained network: at first it gives back exactly what it gets, but it
    can learn.

    `layer` turns tokens (b, n, dim) into tokens (b, n, dim) and keeps its random weights. Behind it
    comes a linear layer of your own, and around both a residual.
    """

    def __init__(self, layer: nn.Module, dim: int):
        super().__init__()
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError

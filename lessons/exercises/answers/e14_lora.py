"""Exercise 14, 2: a linear layer that learns by two thin matrices only."""

import torch
from torch import Tensor, nn


class LoRA(nn.Module):
    def __init__(self, layer: nn.Linear, rank: int, alpha: float):
        super().__init__()
        self.layer, self.scale = layer.requires_grad_(False), alpha / rank
        self.down = nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + self.scale * (x @ self.down.T @ self.up.T)


class BothZero(LoRA):
    """Never learns: the gradient of each is a multiple of the other."""

    def __init__(self, layer: nn.Linear, rank: int, alpha: float):
        super().__init__(layer, rank, alpha)
        nn.init.zeros_(self.down)


WRONG = BothZero

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


class BothRandom(LoRA):
    def __init__(self, layer: nn.Linear, rank: int, alpha: float):
        super().__init__(layer, rank, alpha)
        nn.init.normal_(self.up)


class BothZero(LoRA):
    """Never learns: the gradient of each is a multiple of the other."""

    def __init__(self, layer: nn.Linear, rank: int, alpha: float):
        super().__init__(layer, rank, alpha)
        nn.init.zeros_(self.down)


class NotFrozen(LoRA):
    def __init__(self, layer: nn.Linear, rank: int, alpha: float):
        super().__init__(layer, rank, alpha)
        layer.requires_grad_(True)


class BiasNotFrozen(LoRA):
    def __init__(self, layer: nn.Linear, rank: int, alpha: float):
        super().__init__(layer, rank, alpha)
        if layer.bias is not None:
            layer.bias.requires_grad_(True)


class OneMatrix(LoRA):
    def __init__(self, layer: nn.Linear, rank: int, alpha: float):
        super().__init__(layer, rank, alpha)
        self.down = self.up = None
        self.full = nn.Parameter(torch.zeros_like(layer.weight))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + self.scale * (x @ self.full.T)


class NotScaled(LoRA):
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + x @ self.down.T @ self.up.T


class ScaledByAlphaOnly(LoRA):
    def __init__(self, layer: nn.Linear, rank: int, alpha: float):
        super().__init__(layer, rank, alpha)
        self.scale = alpha


class InPlaceOfTheLayer(LoRA):
    def forward(self, x: Tensor) -> Tensor:
        return self.scale * (x @ self.down.T @ self.up.T)


class AfterTheLayer(LoRA):
    """The addition sees what the layer returns instead of what it gets."""

    def __init__(self, layer: nn.Linear, rank: int, alpha: float):
        super().__init__(layer, rank, alpha)
        self.down = nn.Parameter(torch.randn(rank, layer.out_features))

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        return y + self.scale * (y @ self.down.T @ self.up.T)


WRONG = [
    BothRandom,
    BothZero,
    NotFrozen,
    BiasNotFrozen,
    OneMatrix,
    NotScaled,
    ScaledByAlphaOnly,
    InPlaceOfTheLayer,
    AfterTheLayer,
]

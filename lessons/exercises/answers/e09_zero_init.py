"""Exercise 09, 2: a new layer that begins as nothing."""

from torch import Tensor, nn


class Added(nn.Module):
    def __init__(self, layer: nn.Module, dim: int):
        super().__init__()
        self.layer, self.out = layer, nn.Linear(dim, dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(self.layer(x))


class BiasRandom(Added):
    def __init__(self, layer: nn.Module, dim: int):
        super().__init__(layer, dim)
        nn.init.normal_(self.out.bias)


class AllZero(Added):
    """Never learns: each half waits for the other."""

    def __init__(self, layer: nn.Module, dim: int):
        super().__init__(layer, dim)
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)


class NoResidual(Added):
    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layer(x))


class SwitchedOff(Added):
    def forward(self, x: Tensor) -> Tensor:
        return x + 0 * self.out(self.layer(x))


class WithoutLayer(Added):
    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(x)


WRONG = [BiasRandom, AllZero, NoResidual, SwitchedOff, WithoutLayer]

"""Exercise 00b, 2: from one timestep to another."""

from torch import Tensor


def step(x: Tensor, prediction: Tensor, a: Tensor, a_next: Tensor) -> Tensor:
    x0 = (x - (1 - a).sqrt() * prediction) / a.sqrt()
    return a_next.sqrt() * x0 + (1 - a_next).sqrt() * prediction


def of_the_noisy(x, prediction, a, a_next):  # adds noise to x, which has noise already
    return a_next.sqrt() * x + (1 - a_next).sqrt() * prediction


WRONG = of_the_noisy

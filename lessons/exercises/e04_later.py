"""Exercise 04, 1: what the waves of a timestep say about other timesteps."""

from torch import Tensor


def later(waves: Tensor, steps: int) -> Tensor:
    """The embeddings of the timesteps t + steps, from those of t, (b, dim), without knowing t.

    Both are as lesson 04 defines them: dim/2 cosines of t w_k, then the sines, with
    w_k = 10000^(-k / (dim/2)). `steps` may be negative. Do not reconstruct t: a wave of it cannot
    be inverted where t w_k is larger than a full turn.
    """
    raise NotImplementedError

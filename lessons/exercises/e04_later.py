"""Exercise 04, 1: from the embedding of one timestep to that of another."""

from torch import Tensor


def later(embedding: Tensor, steps: int) -> Tensor:
    """The embeddings of the timesteps t + steps, from those of t, (b, dim), without knowing t.

    Both are as lesson 04 defines them: dim/2 cosines of t w_k, then the sines, with
    w_k = 10000^(-k / (dim/2)). `steps` may be negative. Do not reconstruct t: its cosine cannot
    be inverted where t w_k is larger than a full turn.
    """
    raise NotImplementedError

"""Exercise 04, 1: a timestep as a row of waves."""

from torch import Tensor


def timestep_embedding(t: Tensor, dim: int) -> Tensor:
    """Timesteps t (b,), whole numbers, as (b, dim) in fp32: the cosines of t w_k, then their sines.

    w_k = 10000^(-k / (dim/2)) for k = 0 ... dim/2 - 1.
    """
    raise NotImplementedError

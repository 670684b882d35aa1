"""Exercise 09, 2: to how many frames does Temp-Attn attend?"""

from torch import Tensor

from tav.inflation import TemporalAttention


def frames_attended(attention: TemporalAttention, x: Tensor, frames: int) -> float:
    """To how many frames a query attends, for tokens x (b*f, n, d) that enter the layer.

    Count by the entropy of a query's f weights, -sum p log p: its exponential is m if m frames have
    equal weights and the others none. Take the mean of the entropies over all positions, heads and
    frames, then its exponential.
    """
    raise NotImplementedError

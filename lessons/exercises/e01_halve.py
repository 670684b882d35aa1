"""Exercise 01, 2: half the size, the VAE's way."""

from torch import Tensor


def halve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A feature map (b, c, h, w), h and w even, at half its size, by a 3 x 3 convolution of stride
    2.

    One line of zeros is added on the right and at the bottom. `weight` is (c, c, 3, 3), `bias`
    (c,).
    """
    raise NotImplementedError

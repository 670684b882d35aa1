"""Exercise 07, 1: the inflation of a convolution."""

from torch import nn


def inflate_conv(conv: nn.Conv2d) -> nn.Conv3d:
    """A Conv3d for videos (b, c, f, h, w) that does to each frame what `conv` does to a picture (b,
    c, h, w).

    `conv` may have any kernel size, stride and padding, and has a bias. The Conv3d has its weights.
    """
    raise NotImplementedError

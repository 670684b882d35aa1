"""Exercise 07, 1: the inflation of a convolution."""

from torch import nn


def inflate_conv(conv: nn.Conv2d, depth: int) -> nn.Conv3d:
    """A Conv3d for videos (b, c, f, h, w), with a kernel of 1 or 3 = `depth` frames, that does to
    each frame what `conv` does to an image (b, c, h, w).

    `conv` may have any kernel size, stride and padding, and has a bias. Each frame in has a frame
    out. The middle of the kernel has the weights of `conv`.
    """
    raise NotImplementedError

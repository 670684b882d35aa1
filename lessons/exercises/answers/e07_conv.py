"""Exercise 07, 1: the inflation of a convolution."""

from torch import nn


def inflate_conv(conv: nn.Conv2d) -> nn.Conv3d:
    (kh, kw), (sh, sw), (ph, pw) = conv.kernel_size, conv.stride, conv.padding
    deep = nn.Conv3d(conv.in_channels, conv.out_channels, (1, kh, kw), (1, sh, sw), (0, ph, pw))
    deep.load_state_dict({"weight": conv.weight[:, :, None], "bias": conv.bias})
    return deep


def looks_at_neighbours(conv: nn.Conv2d) -> nn.Conv3d:
    (kh, kw), (sh, sw), (ph, pw) = conv.kernel_size, conv.stride, conv.padding
    deep = nn.Conv3d(conv.in_channels, conv.out_channels, (3, kh, kw), (1, sh, sw), (1, ph, pw))
    deep.load_state_dict(
        {"weight": conv.weight[:, :, None].expand(-1, -1, 3, -1, -1) / 3, "bias": conv.bias}
    )
    return deep


WRONG = looks_at_neighbours

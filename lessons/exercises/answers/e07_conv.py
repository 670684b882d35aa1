"""Exercise 07, 1: the inflation of a convolution."""

from torch import nn


def inflate_conv(conv: nn.Conv2d, depth: int) -> nn.Conv3d:
    (kh, kw), (sh, sw), (ph, pw) = conv.kernel_size, conv.stride, conv.padding
    kernel, stride, padding = (depth, kh, kw), (1, sh, sw), (depth // 2, ph, pw)
    deep = nn.Conv3d(conv.in_channels, conv.out_channels, kernel, stride, padding)
    weight = deep.weight.detach().zero_()
    weight[:, :, depth // 2] = conv.weight
    deep.load_state_dict({"weight": weight, "bias": conv.bias})
    return deep


def mean_of_neighbours(conv: nn.Conv2d, depth: int) -> nn.Conv3d:
    deep = inflate_conv(conv, depth)
    weight = conv.weight[:, :, None].expand(-1, -1, depth, -1, -1) / depth
    deep.load_state_dict({"weight": weight, "bias": conv.bias})
    return deep


WRONG = mean_of_neighbours

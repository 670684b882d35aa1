"""Exercise 06, 2: the names of the original layout."""


def theirs(ours: str) -> str:
    """The original layout's name for a block of the UNet of Stable Diffusion 1.

    This UNet has four levels on the way down and on the way up. On the way down a level has two
    ResNet blocks, on the way up three. `ours` is conv_in, or for example down_blocks.1.resnets.0,
    up_blocks.2.attentions.1, down_blocks.0.downsamplers.0.conv or up_blocks.0.upsamplers.0.conv.
    The innermost levels, down_blocks.3 and up_blocks.0, have no transformers.
    """
    raise NotImplementedError

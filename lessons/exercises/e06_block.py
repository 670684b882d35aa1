"""Exercise 06, 2: the numbers of the original layout."""


def block(theirs: str) -> str:
    """Our name for a block of the UNet of Stable Diffusion 1, which has two layers a block and four
    levels.

    `theirs` is one of input_blocks.0 (which is conv_in), ... input_blocks.11, with .0 behind it for
    the ResNet block and .1 for the transformer, with .0.op for the downsampling; or of
    output_blocks.0 ... output_blocks.11, with .0 and .1 as above, and .1.conv or .2.conv for the
    upsampling at the end of a level. Ours are for example down_blocks.1.resnets.0,
    up_blocks.2.attentions.1, down_blocks.0.downsamplers.0.conv.
    """
    raise NotImplementedError

"""Exercise 13, 2: what does SC-Attn compute?"""


def sc_attn_flops(frames: int, tokens: int, dim: int) -> int:
    """The FLOPs of one forward pass of SC-Attn on a video of so many frames, of so many tokens of
    width dim.

    A product and the sum that follows are two. Softmax, scaling and bias do not count; the number
    of heads cancels.
    """
    raise NotImplementedError

"""Exercise 01, 2: which pixels does a latent see?"""


def window(layers: list[tuple[int, int, int]], i: int) -> tuple[int, int]:
    """The first and the last pixel of the input on which output i of a chain of convolutions
    depends, along one axis.

    `layers` holds (kernel, stride, padding) of each convolution, the first to be applied first;
    `padding` counts the zeros on the left, and on the right there are as many as it takes. Pixels
    and outputs are counted from 0. A negative number is a position left of the frame, in the
    padding.
    """
    raise NotImplementedError

"""Exercise 05, 1: guidance by several prompts at once."""

from torch import Tensor


def guided(predictions: Tensor, guidance: Tensor) -> Tensor:
    """The prediction to use (c, h, w), from those for the empty prompt and then for n prompts
    (1 + n, c, h, w).

    `guidance` (n,) says how often each prompt's own difference from the empty prompt counts. With
    one prompt it is classifier-free guidance; a negative number leads away from its prompt.
    """
    raise NotImplementedError

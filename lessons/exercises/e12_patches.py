"""Exercise 12: the image tower's first layer, without a convolution."""

from torch import Tensor


def patch_tokens(images: Tensor, weight: Tensor) -> Tensor:
    """Images (f, 3, H, W) and the weight (d, 3, m, m) of `patch_embedding` -> tokens (f, n, d).

    A patch is m pixels wide and high, and both H and W are multiples of m. Cut the images into
    patches, make each patch one long vector, and multiply it by one matrix. Tokens are in reading
    order: from left to right, then down.
    """
    raise NotImplementedError

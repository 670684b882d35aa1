"""Exercise 09, 3: how many parameters train?"""

from tav.unet import UNet2DConditionModel


def count(unet: UNet2DConditionModel) -> dict[str, int]:
    """The numbers that Tune-A-Video trains in an inflated UNet, by kind: under "attn1", "attn2" and
    "attn_temp".

    Do not ask `requires_grad`: nothing has been frozen yet.
    """
    raise NotImplementedError

"""Exercise 09, 3: how many parameters train?"""

from tav.unet import UNet2DConditionModel


def by_parts(unet: UNet2DConditionModel, parts: dict[str, str]) -> dict[str, int]:
    """For each kind, the numbers in all tensors that have its part in their name."""
    named = [(name, p.numel()) for name, p in unet.named_parameters()]
    return {kind: sum(n for name, n in named if part in name) for kind, part in parts.items()}


def count(unet: UNet2DConditionModel) -> dict[str, int]:
    return by_parts(unet, {"attn1": "attn1.to_q", "attn2": "attn2.to_q", "attn_temp": "attn_temp"})


def with_norm_temp(unet: UNet2DConditionModel) -> dict[str, int]:
    return by_parts(unet, {"attn1": "attn1.to_q", "attn2": "attn2.to_q", "attn_temp": "_temp"})


WRONG = with_norm_temp

"""Exercise 07, 2: GroupNorm over all frames, from each frame's own mean and variance."""

from torch import Tensor


def pooled_group_norm(x: Tensor, groups: int, frames: int, eps: float) -> Tensor:
    parts = x.reshape(-1, frames, groups, x[0].numel() // groups)  # b f groups c/groups*h*w
    means, variances = parts.mean(-1), parts.var(-1, unbiased=False)  # of each frame: b f groups
    mean = means.mean(1, keepdim=True)  # b 1 groups
    variance = (variances + (means - mean) ** 2).mean(1, keepdim=True)
    return ((parts - mean[..., None]) / (variance[..., None] + eps).sqrt()).reshape(x.shape)


def each_frame_by_itself(x: Tensor, groups: int, frames: int, eps: float) -> Tensor:
    return pooled_group_norm(x, groups, 1, eps)


WRONG = each_frame_by_itself

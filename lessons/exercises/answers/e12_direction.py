"""Exercise 12, 2: does the edit change what the prompt changes?"""

import torch.nn.functional as F
from torch import Tensor


def directional_similarity(clip: Tensor, edit: Tensor, caption: Tensor, prompt: Tensor) -> float:
    # `cosine_similarity` gives 0 for a vector of length 0.
    return 100 * F.cosine_similarity(edit - clip, prompt - caption, dim=-1).mean().item()


def alignment(clip: Tensor, edit: Tensor, caption: Tensor, prompt: Tensor) -> float:
    return 100 * (edit @ prompt).mean().item()


WRONG = alignment

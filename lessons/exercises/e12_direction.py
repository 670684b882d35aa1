"""Exercise 12, 2: does the edit change what the prompt changes?"""

from torch import Tensor


def directional_similarity(clip: Tensor, edit: Tensor, caption: Tensor, prompt: Tensor) -> float:
    """100 times the cosine of the direction from clip to edit and that from caption to prompt.

    clip and edit (f, p) are the vectors of frames, caption and prompt (p,) those of texts, all of
    length 1 and in CLIP's space. The cosine is taken frame by frame, and averaged. A frame that was
    not changed has no direction, and counts 0. Source: Gal et al. 2021 (StyleGAN-NADA).
    """
    raise NotImplementedError

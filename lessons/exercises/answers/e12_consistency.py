"""Exercise 12: frame consistency, of all pairs of frames or of near ones only."""

import torch
import torch.nn.functional as F


def consistency(vectors, reach):
    return mean_cosine(vectors, 1, reach)


def mean_cosine(vectors, nearest, farthest):
    """In percent, over all pairs of frames that are at least and at most so far apart."""
    unit = F.normalize(vectors, dim=1)
    cosines = unit @ unit.T  # f f
    pairs = [cosines.diagonal(k) for k in range(nearest, farthest + 1)]
    return 100 * torch.cat(pairs).mean().item()


def with_itself(vectors, reach):
    return mean_cosine(vectors, 0, reach)


WRONG = with_itself

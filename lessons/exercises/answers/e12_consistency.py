"""Exercise 12: frame consistency, of all pairs of frames or of near ones only."""

import torch
import torch.nn.functional as F


def consistency(vectors, reach):
    unit = F.normalize(vectors, dim=1)
    cosines = unit @ unit.T  # f f
    pairs = torch.ones_like(cosines).triu(1) * torch.ones_like(cosines).tril(reach)
    return 100 * ((cosines * pairs).sum() / pairs.sum()).item()


def with_itself(vectors, reach):
    unit = F.normalize(vectors, dim=1)
    return 100 * near(unit @ unit.T, 0, reach)


def of_vectors_of_any_length(vectors, reach):
    return 100 * near(vectors @ vectors.T, 1, reach)


def exactly_so_far_apart(vectors, reach):
    unit = F.normalize(vectors, dim=1)
    return 100 * near(unit @ unit.T, reach, reach)


def in_a_ring(vectors, reach):
    unit = F.normalize(vectors, dim=1)
    return (
        100
        * sum((unit * unit.roll(-k, 0)).sum(1).mean().item() for k in range(1, reach + 1))
        / reach
    )


def mean_of_the_distances(vectors, reach):
    unit = F.normalize(vectors, dim=1)
    return 100 * sum(near(unit @ unit.T, k, k) for k in range(1, reach + 1)) / reach


def as_a_share(vectors, reach):
    return consistency(vectors, reach) / 100


def near(cosines, nearest, farthest):
    pairs = [cosines.diagonal(k) for k in range(nearest, farthest + 1)]
    return torch.cat(pairs).mean().item()


WRONG = [
    with_itself,
    of_vectors_of_any_length,
    exactly_so_far_apart,
    in_a_ring,
    mean_of_the_distances,
    as_a_share,
]

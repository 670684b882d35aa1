"""Exercise 12b: the motion error of a subject that may be somewhere else."""


def motion_error(points, truly, there):
    off = (points - truly)[there]  # of all frames together
    return 100 * (off - off.mean(dim=0)).norm(dim=1).mean().item()


def forgives_too_much(points, truly, there):
    """Shifts each frame by itself, and so forgives a subject that stays where it is."""
    off, seen = points - truly, there[..., None]
    shift = (off * seen).sum(dim=1, keepdim=True) / seen.sum(dim=1, keepdim=True)
    return 100 * (off - shift)[there].norm(dim=1).mean().item()


WRONG = forgives_too_much

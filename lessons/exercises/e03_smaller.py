"""Exercise 03, 2: how noisy are latents that were made smaller?"""

from tav.schedule import Schedule


def timestep_of_smaller(schedule: Schedule, t: int, k: int) -> int:
    """Noisy latents at timestep t are made smaller: each square of k x k positions becomes its
    mean. The timestep whose noise level comes closest to that of the result.

    Take clean latents to be so smooth that the mean does not change them. `schedule.sigma` gives
    the noise level of a timestep.
    """
    raise NotImplementedError

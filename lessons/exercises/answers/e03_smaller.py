"""Exercise 03, 2: how noisy are latents that were made smaller?"""

from tav.schedule import Schedule


def timestep_of_smaller(schedule: Schedule, t: int, k: int) -> int:
    # The variance of a mean of k * k independent numbers is a (k * k)th of theirs.
    level = schedule.sigma(t) / k
    return min(range(schedule.num_train_timesteps), key=lambda t: abs(schedule.sigma(t) - level))


def by_the_variance(schedule: Schedule, t: int, k: int) -> int:
    return timestep_of_smaller(schedule, t, k * k)


WRONG = by_the_variance

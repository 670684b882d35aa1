"""Exercise 04, 1: what the waves of a timestep say about other timesteps."""

import torch


def later(waves, steps):
    """Each pair (cosine, sine) is a point on a circle, and moves on by the angle steps w_k."""
    return turned(waves, steps, waves.shape[1] // 2)


def turned(waves, steps, divisor):
    x, y = waves.chunk(2, dim=1)
    angles = steps * 10000 ** (-torch.arange(x.shape[1]) / divisor)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([x * cos - y * sin, x * sin + y * cos], dim=1)


def back_in_time(waves, steps):
    return later(waves, -steps)


def frequencies_of_the_whole_width(waves, steps):
    return turned(waves, steps, waves.shape[1])


def sines_first(waves, steps):
    half = waves.shape[1] // 2
    return later(waves.roll(half, dims=1), steps).roll(half, dims=1)


def the_waves_of_the_difference_added(waves, steps):
    start = torch.zeros_like(waves)
    start[:, : waves.shape[1] // 2] = 1  # the waves of 0
    return waves + later(start, steps) - start


def reconstructed_from_the_fastest_wave(waves, steps):
    half = waves.shape[1] // 2
    t = torch.atan2(waves[:, half], waves[:, 0])  # w_0 is 1: right for t below half a turn
    angles = (t[:, None] + steps) * 10000 ** (-torch.arange(half) / half)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


WRONG = [
    back_in_time,
    frequencies_of_the_whole_width,
    sines_first,
    the_waves_of_the_difference_added,
    reconstructed_from_the_fastest_wave,
]

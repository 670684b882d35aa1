"""Exercise 05, 2: a better step than Euler's."""


def heun_step(answer, x, t, s, schedule):
    first = answer(x, t)
    second = answer(schedule.ddim_step(first, x, t, s), s)
    return schedule.ddim_step((first + second) / 2, x, t, s)


def euler(answer, x, t, s, schedule):
    return schedule.ddim_step(answer(x, t), x, t, s)


def slope_of_the_end_only(answer, x, t, s, schedule):
    end = euler(answer, x, t, s, schedule)
    return schedule.ddim_step(answer(end, s), x, t, s)


def asked_for_the_wrong_level(answer, x, t, s, schedule):
    first = answer(x, t)
    second = answer(schedule.ddim_step(first, x, t, s), t)
    return schedule.ddim_step((first + second) / 2, x, t, s)


def without_a_step_before_asking_again(answer, x, t, s, schedule):
    return schedule.ddim_step((answer(x, t) + answer(x, s)) / 2, x, t, s)


def two_halves(answer, x, t, s, schedule):
    middle = (t + s) // 2
    return euler(answer, euler(answer, x, t, middle, schedule), middle, s, schedule)


def slopes_in_x(answer, x, t, s, schedule):
    """The mean of the noises, but weighted for x instead of x / sqrt(Abar)."""
    a, a_prev = schedule.alphas_cumprod[t], schedule.alphas_cumprod[s]
    first = answer(x, t)
    second = answer(euler(answer, x, t, s, schedule), s)
    change = (1 - a_prev).sqrt() - (1 - a).sqrt()
    return x * (a_prev / a).sqrt() + change * (first + second) / 2


WRONG = [
    euler,
    slope_of_the_end_only,
    asked_for_the_wrong_level,
    without_a_step_before_asking_again,
    two_halves,
    slopes_in_x,
]

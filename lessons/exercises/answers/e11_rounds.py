"""Exercise 11: inversion that asks again."""


def climb(predict, latents, schedule, steps, rounds):
    x = latents
    for t, previous in reversed(schedule.steps(steps)):
        before = x
        for _ in range(1 + rounds):
            x = schedule.ddim_invert_step(predict(x, t), before, t, previous)
    return x


def further_up_in_each_round(predict, latents, schedule, steps, rounds):
    x = latents
    for t, previous in reversed(schedule.steps(steps)):
        for _ in range(1 + rounds):
            x = schedule.ddim_invert_step(predict(x, t), x, t, previous)
    return x


WRONG = further_up_in_each_round

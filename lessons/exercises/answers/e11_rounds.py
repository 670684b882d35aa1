"""Exercise 11: inversion that asks again."""


def climb(predict, latents, schedule, steps, rounds):
    x, stride = latents, schedule.num_train_timesteps // steps
    for t in reversed(schedule.timesteps(steps)):
        before = x
        for _ in range(1 + rounds):
            x = schedule.ddim_invert_step(predict(x, t), before, t, t - stride)
    return x


def never_again(predict, latents, schedule, steps, rounds):
    return climb(predict, latents, schedule, steps, 0)


def one_round_less(predict, latents, schedule, steps, rounds):
    return climb(predict, latents, schedule, steps, max(rounds - 1, 0))


def further_up_in_each_round(predict, latents, schedule, steps, rounds):
    x, stride = latents, schedule.num_train_timesteps // steps
    for t in reversed(schedule.timesteps(steps)):
        for _ in range(1 + rounds):
            x = schedule.ddim_invert_step(predict(x, t), x, t, t - stride)
    return x


def told_the_level_it_came_from(predict, latents, schedule, steps, rounds):
    x, stride = latents, schedule.num_train_timesteps // steps
    for t in reversed(schedule.timesteps(steps)):
        before = x
        for _ in range(1 + rounds):
            x = schedule.ddim_invert_step(predict(x, max(t - stride, 0)), before, t, t - stride)
    return x


def the_whole_way_again(predict, latents, schedule, steps, rounds):
    for _ in range(1 + rounds):
        x = climb(predict, latents, schedule, steps, 0)
    return x


WRONG = [
    never_again,
    one_round_less,
    further_up_in_each_round,
    told_the_level_it_came_from,
    the_whole_way_again,
]

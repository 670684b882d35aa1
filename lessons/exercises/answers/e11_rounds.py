"""Exercise 11: inversion that asks again."""


def climb(predict, latents, schedule, steps, rounds):
    x, stride = latents, schedule.num_train_timesteps // steps
    for t in reversed(schedule.timesteps(steps)):
        before = x
        for _ in range(1 + rounds):
            x = schedule.ddim_invert_step(predict(x, t), before, t, t - stride)
    return x


def further_up_in_each_round(predict, latents, schedule, steps, rounds):
    x, stride = latents, schedule.num_train_timesteps // steps
    for t in reversed(schedule.timesteps(steps)):
        for _ in range(1 + rounds):
            x = schedule.ddim_invert_step(predict(x, t), x, t, t - stride)
    return x


WRONG = further_up_in_each_round

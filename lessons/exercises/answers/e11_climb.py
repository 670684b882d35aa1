"""Exercise 11: the loop of DDIM inversion."""


def climb(predict, latents, schedule, steps):
    x, stride = latents, schedule.num_train_timesteps // steps
    for t in reversed(schedule.timesteps(steps)):
        x = schedule.ddim_invert_step(predict(x, t), x, t, t - stride)
    return x


def asked_at_the_timestep_left(predict, latents, schedule, steps):
    x, stride = latents, schedule.num_train_timesteps // steps
    for t in reversed(schedule.timesteps(steps)):
        x = schedule.ddim_invert_step(predict(x, max(t - stride, 0)), x, t, t - stride)
    return x


def without_the_first_step(predict, latents, schedule, steps):
    x, stride = latents, schedule.num_train_timesteps // steps
    for t in schedule.timesteps(steps)[-2::-1]:
        x = schedule.ddim_invert_step(predict(x, t), x, t, t - stride)
    return x


def from_the_top(predict, latents, schedule, steps):
    x, stride = latents, schedule.num_train_timesteps // steps
    for t in schedule.timesteps(steps):
        x = schedule.ddim_invert_step(predict(x, t), x, t, t - stride)
    return x


def a_step_of_sampling_backwards(predict, latents, schedule, steps):
    x, stride = latents, schedule.num_train_timesteps // steps
    for t in reversed(schedule.timesteps(steps)):
        x = schedule.ddim_step(predict(x, t), x, t - stride, t)
    return x


WRONG = [
    asked_at_the_timestep_left,
    without_the_first_step,
    from_the_top,
    a_step_of_sampling_backwards,
]

"""Exercise 10: the loss of one tuning step."""

import torch
import torch.nn.functional as F


def tuning_loss(unet, schedule, posterior, text, generator):
    x0 = posterior.sample(generator)
    noise = torch.randn(x0.shape, generator=generator)
    t = torch.randint(schedule.num_train_timesteps, (1,), generator=generator)
    return loss(unet, schedule, x0, noise, t, text)


def loss(unet, schedule, x0, noise, t, text):
    prediction = unet(schedule.add_noise(x0, noise, t), t, text, len(x0))
    return F.mse_loss(prediction, schedule.target(x0, noise, t))


def of_the_mean(unet, schedule, posterior, text, generator):
    posterior.sample(generator)
    noise = torch.randn(posterior.mean.shape, generator=generator)
    t = torch.randint(schedule.num_train_timesteps, (1,), generator=generator)
    return loss(unet, schedule, posterior.mean, noise, t, text)


def one_noise_for_all_frames(unet, schedule, posterior, text, generator):
    x0 = posterior.sample(generator)
    noise = torch.randn(x0.shape, generator=generator)[:1].expand_as(x0)
    t = torch.randint(schedule.num_train_timesteps, (1,), generator=generator)
    return loss(unet, schedule, x0, noise, t, text)


def a_timestep_for_each_frame(unet, schedule, posterior, text, generator):
    x0 = posterior.sample(generator)
    noise = torch.randn(x0.shape, generator=generator)
    t = torch.randint(schedule.num_train_timesteps, (len(x0),), generator=generator)
    prediction = unet(schedule.add_noise(x0, noise, t), t[:1], text, len(x0))
    return F.mse_loss(prediction, schedule.target(x0, noise, t))


def always_against_the_noise(unet, schedule, posterior, text, generator):
    x0 = posterior.sample(generator)
    noise = torch.randn(x0.shape, generator=generator)
    t = torch.randint(schedule.num_train_timesteps, (1,), generator=generator)
    return F.mse_loss(unet(schedule.add_noise(x0, noise, t), t, text, len(x0)), noise)


def frames_on_their_own(unet, schedule, posterior, text, generator):
    x0 = posterior.sample(generator)
    noise = torch.randn(x0.shape, generator=generator)
    t = torch.randint(schedule.num_train_timesteps, (1,), generator=generator)
    noisy, times = schedule.add_noise(x0, noise, t), t.expand(len(x0))
    return F.mse_loss(
        unet(noisy, times, text.expand(len(x0), -1, -1), 1), schedule.target(x0, noise, t)
    )


WRONG = [
    of_the_mean,
    one_noise_for_all_frames,
    a_timestep_for_each_frame,
    always_against_the_noise,
    frames_on_their_own,
]

"""Exercise 10: what has tuning improved, and at which noise levels?

In a trial with 8 frames and 20 steps at learning rate 1e-3, most in the middle: by a fifth at t =
501, by 11 percent at 101 and 901, and by 3 percent at 1.
"""

import torch
import torch.nn.functional as F


@torch.no_grad()
def progress(unet, schedule, x0, text, timesteps, seed):
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed))
    losses = []
    for t in torch.tensor(timesteps).split(1):
        prediction = unet(schedule.add_noise(x0, noise, t), t, text, len(x0))
        losses.append(F.mse_loss(prediction, schedule.target(x0, noise, t)).item())
    return losses


def other_noise_each_time(unet, schedule, x0, text, timesteps, seed):
    """The timesteps cannot be compared: each has noise of its own."""
    return [progress(unet, schedule, x0, text, [t], seed + i)[0] for i, t in enumerate(timesteps)]


WRONG = other_noise_each_time

"""Exercise 05, 2: one formula for DDIM, DDPM and all between."""

from torch import Tensor


def ddim_step(
    prediction: Tensor, x: Tensor, a: Tensor, a_prev: Tensor, eta: float, noise: Tensor
) -> Tensor:
    sigma = eta * ((1 - a_prev) / (1 - a) * (1 - a / a_prev)).sqrt()
    return mixed(prediction, x, a, a_prev, sigma, (1 - a_prev - sigma**2).sqrt(), noise)


def mixed(prediction, x, a, a_prev, sigma, kept, noise):
    x0 = (x - (1 - a).sqrt() * prediction) / a.sqrt()
    return a_prev.sqrt() * x0 + kept * prediction + sigma * noise


def noise_on_top(prediction, x, a, a_prev, eta, noise):
    sigma = eta * ((1 - a_prev) / (1 - a) * (1 - a / a_prev)).sqrt()
    return mixed(prediction, x, a, a_prev, sigma, (1 - a_prev).sqrt(), noise)


def larger_variance(prediction, x, a, a_prev, eta, noise):
    sigma = eta * (1 - a / a_prev).sqrt()
    return mixed(
        prediction, x, a, a_prev, sigma, (1 - a_prev - sigma**2).clamp(min=0).sqrt(), noise
    )


def levels_exchanged(prediction, x, a, a_prev, eta, noise):
    return ddim_step(prediction, x, a_prev, a, 0.0, noise)


def always_ddim(prediction, x, a, a_prev, eta, noise):
    return ddim_step(prediction, x, a, a_prev, 0.0, noise)


WRONG = [noise_on_top, larger_variance, levels_exchanged, always_ddim]

"""Exercise 10: a step of AdamW, without `torch.optim`."""


def adamw(weight, gradient, m, p, step, lr, decay):
    m, p = 0.9 * m + 0.1 * gradient, 0.999 * p + 0.001 * gradient**2
    mean, square = m / (1 - 0.9**step), p / (1 - 0.999**step)
    return weight - lr * (mean / (square.sqrt() + 1e-8) + decay * weight), m, p


def decay_in_the_gradient(weight, gradient, m, p, step, lr, decay):
    """Adam with an L2 penalty, which AdamW was made to replace."""
    return adamw(weight, gradient + decay * weight, m, p, step, lr, 0.0)


WRONG = decay_in_the_gradient

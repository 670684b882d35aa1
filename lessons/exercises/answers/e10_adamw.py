"""Exercise 10: a step of AdamW, without `torch.optim`."""


def adamw(weight, gradient, m, q, step, lr, decay):
    m, q = 0.9 * m + 0.1 * gradient, 0.999 * q + 0.001 * gradient**2
    mean, square = m / (1 - 0.9**step), q / (1 - 0.999**step)
    return weight - lr * (mean / (square.sqrt() + 1e-8) + decay * weight), m, q


def decay_in_the_gradient(weight, gradient, m, q, step, lr, decay):
    """Adam with an L2 penalty, which AdamW was made to replace."""
    return adamw(weight, gradient + decay * weight, m, q, step, lr, 0.0)


WRONG = decay_in_the_gradient

"""Exercise 10: a step of AdamW, without `torch.optim`."""


def adamw(weight, gradient, m, v, step, lr, decay):
    m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
    mean, square = m / (1 - 0.9**step), v / (1 - 0.999**step)
    return weight - lr * (mean / (square.sqrt() + 1e-8) + decay * weight), m, v


def decay_in_the_gradient(weight, gradient, m, v, step, lr, decay):
    """Adam with an L2 penalty, which AdamW was made to replace."""
    return adamw(weight, gradient + decay * weight, m, v, step, lr, 0.0)


WRONG = decay_in_the_gradient

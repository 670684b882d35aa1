"""Exercise 10: a step of AdamW, without `torch.optim`."""


def adamw(weight, gradient, m, q, step, lr, decay):
    m, q = 0.9 * m + 0.1 * gradient, 0.999 * q + 0.001 * gradient**2
    mean, square = m / (1 - 0.9**step), q / (1 - 0.999**step)
    return weight - lr * (mean / (square.sqrt() + 1e-8) + decay * weight), m, q


def not_corrected(weight, gradient, m, q, step, lr, decay):
    m, q = 0.9 * m + 0.1 * gradient, 0.999 * q + 0.001 * gradient**2
    return weight - lr * (m / (q.sqrt() + 1e-8) + decay * weight), m, q


def corrected_means_are_kept(weight, gradient, m, q, step, lr, decay):
    m, q = 0.9 * m + 0.1 * gradient, 0.999 * q + 0.001 * gradient**2
    m, q = m / (1 - 0.9**step), q / (1 - 0.999**step)
    return weight - lr * (m / (q.sqrt() + 1e-8) + decay * weight), m, q


def decay_in_the_gradient(weight, gradient, m, q, step, lr, decay):
    """Adam with an L2 penalty, which AdamW was made to replace."""
    return adamw(weight, gradient + decay * weight, m, q, step, lr, 0.0)


def decay_without_the_rate(weight, gradient, m, q, step, lr, decay):
    after, m, q = adamw(weight, gradient, m, q, step, lr, 0.0)
    return after - decay * weight, m, q


def counted_from_zero(weight, gradient, m, q, step, lr, decay):
    return adamw(weight, gradient, m, q, step + 1, lr, decay)


WRONG = [
    not_corrected,
    corrected_means_are_kept,
    decay_in_the_gradient,
    decay_without_the_rate,
    counted_from_zero,
]

"""Exercise 01, 2: which pixels does a latent see?"""


def window(layers: list[tuple[int, int, int]], i: int) -> tuple[int, int]:
    first = last = i
    for kernel, stride, padding in reversed(layers):
        first = first * stride - padding
        last = last * stride - padding + kernel - 1
    return first, last


def first_layer_first(layers, i):
    return window(layers[::-1], i)


WRONG = first_layer_first

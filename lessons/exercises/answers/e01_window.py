"""Exercise 01, 2: which pixels does a latent see?"""


def window(layers: list[tuple[int, int, int]], i: int) -> tuple[int, int]:
    first = last = i
    for kernel, stride, padding in reversed(layers):
        first = first * stride - padding
        last = last * stride - padding + kernel - 1
    return first, last


def first_layer_first(layers, i):
    return window(layers[::-1], i)


def one_too_many(layers, i):
    first, last = window(layers, i)
    return first, last + 1


def strides_forgotten(layers, i):
    first, last = window([(kernel, 1, padding) for kernel, _, padding in layers], 0)
    start = i
    for _, stride, _ in layers:
        start *= stride
    return start + first, start + last


def padding_forgotten(layers, i):
    return window([(kernel, stride, 0) for kernel, stride, _ in layers], i)


def padding_not_strided(layers, i):
    first, last = padding_forgotten(layers, i)
    padding = sum(padding for _, _, padding in layers)
    return first - padding, last - padding


WRONG = [first_layer_first, one_too_many, strides_forgotten, padding_forgotten, padding_not_strided]

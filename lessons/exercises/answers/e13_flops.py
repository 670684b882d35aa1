"""Exercise 13, 2: what does SC-Attn compute?"""


def sc_attn_flops(frames: int, tokens: int, dim: int) -> int:
    linear = 4 * 2 * frames * tokens * dim**2  # query, key, value, output
    products = 2 * 2 * frames * tokens * (2 * tokens) * dim  # with the keys and the values of two
    return linear + products


def multiplications_only(frames: int, tokens: int, dim: int) -> int:
    return sc_attn_flops(frames, tokens, dim) // 2


WRONG = multiplications_only

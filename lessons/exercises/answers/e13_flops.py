"""Exercise 13, 2: what does SC-Attn compute?"""


def count(frames: int, tokens: int, dim: int, linear: int, keys: int) -> int:
    """So many linear layers, and products with so many keys and values."""
    return linear * 2 * frames * tokens * dim**2 + 2 * 2 * frames * tokens * keys * dim


def sc_attn_flops(frames: int, tokens: int, dim: int) -> int:
    return count(frames, tokens, dim, linear=4, keys=2 * tokens)


def plain_self_attention(frames: int, tokens: int, dim: int) -> int:
    return count(frames, tokens, dim, linear=4, keys=tokens)


def all_frames(frames: int, tokens: int, dim: int) -> int:
    return count(frames, tokens, dim, linear=4, keys=frames * tokens)


def keys_made_for_each_frame_that_asks(frames: int, tokens: int, dim: int) -> int:
    return count(frames, tokens, dim, linear=6, keys=2 * tokens)


def no_output_layer(frames: int, tokens: int, dim: int) -> int:
    return count(frames, tokens, dim, linear=3, keys=2 * tokens)


def multiplications_only(frames: int, tokens: int, dim: int) -> int:
    return sc_attn_flops(frames, tokens, dim) // 2


WRONG = [
    plain_self_attention,
    all_frames,
    keys_made_for_each_frame_that_asks,
    no_output_layer,
    multiplications_only,
]

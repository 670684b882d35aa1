"""Exercise 00, 1: a network's numbers as bytes."""

from torch import Tensor


def to_bytes(frames: Tensor) -> Tensor:
    """Frames (f, 3, h, w), about [-1, 1], as bytes (f, h, w, 3): -1 is 0, 1 is 255, and what lies
    beyond is clamped."""
    raise NotImplementedError

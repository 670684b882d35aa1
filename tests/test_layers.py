"""Attention: in one call or in several, and each frame to its own video's text."""

import pytest
import torch
import torch.nn.functional as F

from tav import layers
from tav.layers import Attention, CrossAttention, attend


def tokens(rows: int, n: int, d: int = 8) -> torch.Tensor:
    return torch.randn(rows, n, d, generator=torch.Generator().manual_seed(n))


def calls(monkeypatch) -> list[int]:
    """The rows of every call of PyTorch's attention from here on."""
    rows, original = [], F.scaled_dot_product_attention

    def counted(q, k, v, is_causal=False):
        rows.append(len(q))
        return original(q, k, v, is_causal=is_causal)

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    return rows


# A row has 2 heads * 6 tokens * 9 tokens = 108 scores.
LIMITS = [
    ("MOST_ROWS", 7, [7]),
    ("MOST_ROWS", 3, [3, 3, 1]),
    ("MOST_SCORES", 7 * 108, [7]),
    ("MOST_SCORES", 7 * 108 - 1, [6, 1]),
    ("MOST_SCORES", 2 * 108, [2, 2, 2, 1]),
    ("MOST_SCORES", 5, [1] * 7),  # a row is never cut
]


@pytest.mark.parametrize(("limit", "most", "expected"), LIMITS)
def test_what_is_too_large_for_a_device_is_split_over_the_batch(limit, most, expected, monkeypatch):
    q, k, v = tokens(7, 6), tokens(7, 9), tokens(7, 9).flip(0)
    whole = attend(q, k, v, heads=2)
    monkeypatch.setattr(layers, limit, most if limit == "MOST_ROWS" else {"cpu": most})
    rows = calls(monkeypatch)
    assert torch.allclose(attend(q, k, v, heads=2), whole, atol=1e-6)
    assert rows == expected


def test_a_split_stays_causal(monkeypatch):
    x = tokens(5, 6)
    whole = attend(x, x, x, heads=2, causal=True)
    monkeypatch.setattr(layers, "MOST_ROWS", 2)
    assert torch.allclose(attend(x, x, x, heads=2, causal=True), whole, atol=1e-6)


def test_the_limits_are_those_of_cuda_and_metal():
    """65,535 blocks of a grid; arrays below 2^32 bytes, of scores in fp32: SD's SC-Attn at 512
    pixels has 8 heads of 4096 x 8192 scores a frame, so that three frames fit and four do not."""
    assert layers.MOST_ROWS == 65_535
    assert layers.MOST_SCORES["mps"] // (8 * 4096 * 8192) == 3


def test_every_frame_attends_to_its_own_text_whose_keys_are_computed_once():
    torch.manual_seed(0)
    attention = CrossAttention(8, 2, 12)
    x, text = tokens(6, 5), tokens(2, 4, 12)  # two videos of three frames
    rows = []
    attention.to_k.register_forward_hook(lambda _, inputs, __: rows.append(len(inputs[0])))
    together = attention(x, 3, text)
    assert rows == [2]
    for i in range(6):
        assert torch.allclose(
            together[i], attention(x[i, None], 1, text[i // 3, None])[0], atol=1e-6
        )


def test_plain_attention_sees_its_own_frame_only():
    torch.manual_seed(0)
    attention, x = Attention(8, 2), tokens(6, 5)
    for frames in (1, 3, 6):
        assert torch.equal(attention(x, frames), attention(x))
    assert torch.allclose(attention(x)[4], attention(x[4, None])[0], atol=1e-6)

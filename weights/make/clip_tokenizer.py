"""CLIP's vocabulary -> vocab.json and merges.txt in tav/io/clip-tokenizer/.

    python weights/make/clip_tokenizer.py bpe_simple_vocab_16e6.txt.gz

The input is the list of merges that OpenAI published with CLIP (MIT licence); the open_clip_torch
wheel holds a copy. The list goes on far beyond what CLIP uses: its vocabulary is 256 bytes, the
same 256 at the end of a word, 48,894 merges and two specials, 49,408 tokens in that order.
"""

import gzip
import json
import sys
from pathlib import Path

MERGES = 49408 - 2 * 256 - 2
SPECIALS = ["<|startoftext|>", "<|endoftext|>"]


def byte_symbols() -> list[str]:
    """One visible character for each of the 256 bytes, in CLIP's order.

    Bytes that are visible in Latin-1 stand for themselves and come first; the others (controls,
    blanks, the soft hyphen) follow and borrow the characters from code point 256 on.
    """
    visible = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    borrowed = range(256, 256 + 256 - len(visible))
    return [chr(code) for code in [*visible, *borrowed]]


def main(source: str) -> None:
    with gzip.open(source, "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    merges = lines[1 : 1 + MERGES]  # line 0 is a version
    symbols = byte_symbols()
    tokens = (
        symbols + [s + "</w>" for s in symbols] + [m.replace(" ", "") for m in merges] + SPECIALS
    )
    vocab = {token: i for i, token in enumerate(tokens)}
    assert len(vocab) == len(tokens) == 49408, "two tokens are spelled alike: is this CLIP's list?"
    folder = Path(__file__).parents[2] / "tav" / "io" / "clip-tokenizer"
    text = json.dumps(vocab, ensure_ascii=False, separators=(",", ":"))
    (folder / "vocab.json").write_text(text + "\n", encoding="utf-8")
    (folder / "merges.txt").write_text(
        "\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main(sys.argv[1])

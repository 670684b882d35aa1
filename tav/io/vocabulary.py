"""A tokenizer's files (lesson 02)."""

import json
from pathlib import Path

from ..text import END, LENGTH, Tokenizer
from .cli import UserError

CLIP_TOKENIZER = Path(__file__).parent / "clip-tokenizer"  # installed with the package


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a folder: vocab.json, merges.txt, and the settings if there are any."""
    vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
    merges = [tuple(line.split()) for line in lines if line and not line.startswith("#version")]
    settings = {}
    for name in ("tokenizer_config.json", "special_tokens_map.json"):  # the later one wins
        if (folder / name).exists():
            settings |= json.loads((folder / name).read_text(encoding="utf-8"))
    pad = settings.get("pad_token") or END
    pad = pad["content"] if isinstance(pad, dict) else pad
    return Tokenizer(vocab, merges, settings.get("model_max_length") or LENGTH, pad)


def load_tokenizer(folder: Path, text: dict) -> Tokenizer:
    """The folder's tokenizer, its rows no longer than the text encoder of sizes `text` reads."""
    try:
        tokenizer = read_tokenizer(folder)
        ids, known = tokenizer.bpe.get_vocab().values(), text["vocab_size"]
        if len(ids) > known or max(ids) >= known:
            raise ValueError(f"{len(ids):,} pieces, but the text encoder knows {known:,}")
        length = tokenizer.length  # some folders say 1e30, which means "I do not know"
        if isinstance(length, bool) or not length >= 3:
            raise ValueError(f"model_max_length = {length}")
        tokenizer.length = int(min(length, text["max_position_embeddings"]))
    # The tokenizers library has no narrower kind of error for merges that do not fit.
    except Exception as error:
        what = f"not CLIP's vocab.json and merges.txt ({error})"
        raise UserError(f"{folder}: {what}; get them again") from None
    return tokenizer

"""A tokenizer's files, and the cleaning of what people type (lesson 02)."""

import html
import re
import unicodedata
from pathlib import Path

from tokenizers import AddedToken

from ..text import END, LENGTH, Tokenizer
from .cli import UserError
from .files import brief, read_json

CLIP_TOKENIZER = Path(__file__).parent / "clip-tokenizer"  # installed with the package


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a folder: its pieces are in vocab.json and merges.txt, and learned words in
    added_tokens.json; folders saved by transformers 5 have all of that in tokenizer.json."""
    if (folder / "tokenizer.json").is_file() and not (folder / "vocab.json").is_file():
        whole = read_json(folder / "tokenizer.json")
        vocab, pairs = whole["model"]["vocab"], whole["model"]["merges"]
        added = whole["added_tokens"]
    else:
        vocab = read_json(folder / "vocab.json")
        lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
        pairs = [line for line in lines if line and not line.startswith("#version")]
        learned = folder / "added_tokens.json"
        ids = read_json(learned) if learned.is_file() else {}
        added = [{"content": word, "id": ids[word]} for word in ids]
    merges = [tuple(pair.split() if isinstance(pair, str) else pair) for pair in pairs]
    settings = {}
    for name in ("tokenizer_config.json", "special_tokens_map.json"):  # the later one wins
        if (folder / name).is_file():
            settings |= read_json(folder / name)
    pad = settings.get("pad_token") or END
    pad = pad["content"] if isinstance(pad, dict) else pad
    tokenizer = Tokenizer(vocab, merges, settings.get("model_max_length") or LENGTH, pad)
    # Learned words (textual inversion): each is one token, found before the prompt is cut up.
    for word in sorted(added, key=lambda word: word["id"]):
        content, number = word.pop("content"), word.pop("id")
        if content not in vocab:
            tokenizer.bpe.add_tokens([AddedToken(content, **word)])  # how to find it, if it says so
        if tokenizer.bpe.token_to_id(content) != number:
            raise ValueError(f"the added word {content!r} cannot have the id {number}")
    return tokenizer


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
    except UserError:
        raise
    # The tokenizers library has no narrower kind of error for merges that do not fit.
    except Exception as error:
        what = f"not CLIP's vocab.json and merges.txt, or tokenizer.json ({brief(error)})"
        raise UserError(f"{folder}: {what}; get them again") from None
    return tokenizer


ENTITY = r"&(#\d+|#x[0-9a-fA-F]+|\w+);"  # as in pages
# Two or three letters in one, and letters as wide as a Chinese one, or half as wide.
COMPATIBLE = "[\u0132\u0133\u0149\u01c4-\u01cc\u01f1-\u01f3\ufb00-\ufb06\u3000\uff01-\uffef]+"
QUOTES = str.maketrans("\u2018\u2019\u201a\u201b\u02bc\u201c\u201d\u201e\u201f", "'''''\"\"\"\"")
INVISIBLE = "[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]"


def clean_prompt(prompt: str) -> str:
    """What was copied from a document or a page, as CLIP's texts were cleaned for its training.

    Curly quotes become straight, ligatures two letters, wide letters narrow, and `&amp;` an "&";
    control characters go. Dashes stay: CLIP has pieces for them. The published code cleans with
    ftfy, of which this does what concerns one line of text, without its guesses at encodings.
    """
    if "<" not in prompt:  # else it is rather about HTML
        prompt = re.sub(ENTITY, lambda match: html.unescape(match[0]), prompt)
    prompt = re.sub(COMPATIBLE, lambda match: unicodedata.normalize("NFKC", match[0]), prompt)
    prompt = re.sub(INVISIBLE, "", prompt.translate(QUOTES))
    return unicodedata.normalize("NFC", prompt)

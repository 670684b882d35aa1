"""Tokenizers as people have them: saved by the libraries of today, or with words learned since; and
prompts copied from a document."""

import json
import tarfile
from pathlib import Path

import golden
import pytest
import torch

from tav.io.cli import UserError
from tav.io.vocabulary import CLIP_TOKENIZER, clean_prompt, load_tokenizer, read_tokenizer
from tav.io.weights import load

TEXT = {"vocab_size": 49410, "max_position_embeddings": 77}


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A folder as diffusers 0.42 and transformers 5.24 save it (golden/saved_today.py)."""
    place = tmp_path_factory.mktemp("saved")
    with tarfile.open(golden.HERE / "saved_today.tar.xz") as archive:
        archive.extractall(place, filter="data")
    return place


def test_a_folder_saved_by_todays_libraries_loads_and_reads_the_same_tokens(saved):
    files = {file.name for file in (saved / "tokenizer").iterdir()}
    assert files == {"tokenizer.json", "tokenizer_config.json"}  # and no vocab.json
    expected = json.loads((saved / "expected.json").read_text())
    model = load(saved)
    assert model.tokenizer(expected["prompts"]).tolist() == expected["ids"]
    states = model.embed(expected["prompts"][0])[0]
    assert (states - torch.tensor(expected["states"])).abs().max() <= 1e-5
    assert model.schedule.prediction_type == "v_prediction"


def test_a_learned_word_is_one_token_with_a_row_of_its_own(saved):
    model = load(saved)
    assert model.tokenizer.pieces("a <cat-toy>")[2] == "<cat-toy>"
    vectors = model.text_encoder.text_model.embeddings.token_embedding.weight
    assert len(vectors) == 717 and model.tokenizer("a <cat-toy>")[0, 2] == 715


def folder_with(place: Path, **files: dict | str) -> Path:
    """CLIP's vocabulary, with other files beside it."""
    for name in ("vocab.json", "merges.txt"):
        (place / name).symlink_to(CLIP_TOKENIZER / name)
    for name, content in files.items():
        (place / f"{name}.json").write_text(json.dumps(content))
    return place


def test_added_tokens_of_older_libraries(tmp_path):
    folder = folder_with(tmp_path, added_tokens={"sks": 49409, "<Cat-Toy>": 49408})
    tokenizer = load_tokenizer(folder, TEXT)
    ids = [49406, 320, 49408, 343, 49407]  # as transformers 5.24 has them, in either case
    assert tokenizer("a <Cat-Toy> x")[0, :5].tolist() == ids
    assert tokenizer("a <cat-toy> x")[0, :5].tolist() == ids
    assert tokenizer("asks sks Sks")[0, :6].tolist() == [49406, 320, 49409, 49409, 49409, 49407]
    assert tokenizer("")[0, 2:].tolist() == [49407] * 75  # padding as before


def test_vocab_json_goes_before_tokenizer_json(tmp_path):
    folder = folder_with(tmp_path, tokenizer={"model": "of another kind"})
    assert read_tokenizer(folder).pieces("a cat")[1:-1] == ["a</w>", "cat</w>"]


@pytest.mark.parametrize(
    "words, said",
    [
        ({"<cat-toy>": 49500}, "'<cat-toy>' cannot have the id 49500"),
        ({"<cat-toy>": "first"}, "cannot have the id first"),
        ({f"<toy-{i}>": 49408 + i for i in range(3)}, "49,411 pieces, but the text encoder knows"),
    ],
)
def test_words_that_do_not_fit_are_refused(tmp_path, words, said):
    with pytest.raises(UserError) as caught:
        load_tokenizer(folder_with(tmp_path, added_tokens=words), TEXT)
    assert said in str(caught.value) and "\n" not in str(caught.value)


# What was typed, and what ftfy 6.3 makes of it, which the published code cleans prompts with.
CLEANED = {
    "it’s a “quoted” word": 'it\'s a "quoted" word',
    "‘single’, ‚low‛, „low‟, ʼ": "'single', 'low', \"low\", '",
    "ｆｕｌｌ　ＷＩＤＴＨ，　１２！": "full WIDTH, 12!",
    "ﾊﾝｶｸ ｶﾞ ￥": "ハンカク ガ ¥",
    "a ﬁsh, a ﬂag, an oﬃce, ĳ ŉ ǆ Ǉ": "a fish, a flag, an office, ij 'n dž LJ",
    "cats &amp; dogs &#39;s &#x41; &hearts; &quot;": "cats & dogs 's A ♥ \"",
    "cafe\u0301": "café",
    "\ufeffa\x00 b\x07ell\x7f \ufffc": "a bell ",
}
# These stay as they are, as with ftfy.
KEPT = [
    "a – dash — another ‑ − …",
    "½ ² ™ ℃ Ⅻ ① 𝐛𝐨𝐥𝐝",
    "«guillemets» ‹single› ′ ″ ´ `",
    "a <b>tag</b> &amp; more",
    "AT&T; R&D; &copy x & y &",
    "スキーをする男 😀 ⛷️ 👩‍🚀",
    "a<|endoftext|>b <cat-toy>",
    "",
]


@pytest.mark.parametrize("typed", CLEANED)
def test_what_was_copied_from_a_document_is_cleaned(typed):
    assert clean_prompt(typed) == CLEANED[typed]


@pytest.mark.parametrize("typed", KEPT)
def test_what_is_no_accident_stays(typed):
    assert clean_prompt(typed) == typed


def test_a_cleaned_prompt_has_the_tokens_of_the_plain_one():
    tokenizer = read_tokenizer(CLIP_TOKENIZER)
    curly, plain = "a man’s “red” ﬂag", 'a man\'s "red" flag'
    assert tokenizer(curly).tolist() != tokenizer(plain).tolist()
    assert tokenizer(clean_prompt(curly)).tolist() == tokenizer(plain).tolist()

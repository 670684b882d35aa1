"""Text: token ids and text states equal transformers', and the traps of padding, cutting and
activations."""

import json
import shutil
import warnings
from pathlib import Path

import golden
import pytest
import torch
from torch import nn

from tav.io.vocabulary import CLIP_TOKENIZER, read_tokenizer
from tav.text import CLIPEncoder, CLIPTextModel, Tokenizer

FOLDER = CLIP_TOKENIZER
PROMPTS = json.loads((golden.HERE / "tokens.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tokenizer():
    return read_tokenizer(FOLDER)


def text_model(name: str, **changes) -> CLIPTextModel:
    model = CLIPTextModel(**golden.sizes(name) | changes)
    # strict: the published names, none missing, none left
    model.load_state_dict(golden.read(name)[0])
    return model.eval().requires_grad_(False)


def folder_with(tmp_path: Path, **settings: dict) -> Path:
    """CLIP's vocabulary with other settings files."""
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(FOLDER / name, tmp_path)
    for name, content in settings.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize("name", ["text_quick_gelu", "text_gelu"])
def test_states_equal_transformers(name):
    _, inputs, expected = golden.read(name)
    assert (text_model(name)(inputs["ids"]) - expected["states"]).abs().max() <= 1e-5


@pytest.mark.parametrize(
    ("name", "wrong"), [("text_quick_gelu", "gelu"), ("text_gelu", "quick_gelu")]
)
def test_the_other_gelu_is_wrong(name, wrong):
    _, inputs, expected = golden.read(name)
    assert (
        text_model(name, hidden_act=wrong)(inputs["ids"]) - expected["states"]
    ).abs().max() > 1e-3


def test_layer_norms_have_eps_1e5():
    norms = [m for m in text_model("text_gelu").modules() if isinstance(m, nn.LayerNorm)]
    assert len(norms) == 2 * 2 + 1
    assert {norm.eps for norm in norms} == {1e-5}


def test_a_text_token_sees_no_later_one():
    model, ids = text_model("text_gelu"), golden.read("text_gelu")[1]["ids"]
    changed = ids.clone()
    changed[:, 40] = (ids[:, 40] + 1) % 200
    difference = (model(ids) - model(changed)).abs().amax(dim=(0, 2))
    assert (difference[:40] == 0).all()
    assert (difference[40:] > 0).all()


def test_the_encoder_without_causal_sees_everything():
    torch.manual_seed(0)
    encoder = CLIPEncoder(1, 16, 32, heads=2, act="gelu", causal=False)
    x = torch.randn(1, 5, 16)
    changed = x.clone()
    changed[:, 4] += torch.randn(16)
    assert ((encoder(x) - encoder(changed)).abs().amax(dim=-1) > 0).all()


def test_the_prompt_may_be_shorter_than_the_position_table():
    ids = golden.read("text_gelu")[1]["ids"]
    model = text_model("text_gelu")
    assert torch.allclose(model(ids[:, :24]), model(ids)[:, :24], atol=1e-5)


@pytest.mark.parametrize("variant", ["sd1", "sd2"])
@pytest.mark.filterwarnings("ignore:the prompt has")
def test_ids_equal_transformers(variant, tmp_path):
    tokenizer = read_tokenizer(
        folder_with(tmp_path, special_tokens_map={"pad_token": {"sd1": None, "sd2": "!"}[variant]})
    )
    ids = tokenizer([row["prompt"] for row in PROMPTS])
    assert ids.shape == (40, 77)
    assert ids.dtype == torch.long
    for row, got in zip(PROMPTS, ids.tolist(), strict=True):
        assert got == row[variant], row["prompt"]


def test_the_vocabulary_is_clips():
    vocab = json.loads((FOLDER / "vocab.json").read_text(encoding="utf-8"))
    assert sorted(vocab.values()) == list(range(49408))
    known = {
        "!": 0,
        "a</w>": 320,
        "photo</w>": 1125,
        "cat</w>": 2368,
        "<|startoftext|>": 49406,
        "<|endoftext|>": 49407,
    }
    assert {token: vocab[token] for token in known} == known
    merges = (FOLDER / "merges.txt").read_text(encoding="utf-8").splitlines()
    assert merges[0].startswith("#version")
    assert len(merges) == 1 + 48894


def test_a_row_is_start_prompt_end_padding(tokenizer):
    assert tokenizer("A photo\n of a CAT").tolist() == [
        [49406, 320, 1125, 539, 320, 2368] + [49407] * 71
    ]
    assert tokenizer("").tolist() == [[49406] + [49407] * 76]
    assert tokenizer.pieces("A  cat") == ["<|startoftext|>", "a</w>", "cat</w>", "<|endoftext|>"]


def test_sd2_pads_with_the_exclamation_mark(tmp_path):
    """SD 2.1's two settings files disagree: special_tokens_map.json is right."""
    config = {"pad_token": "<|endoftext|>", "model_max_length": 77}
    folder = folder_with(tmp_path, tokenizer_config=config, special_tokens_map={"pad_token": "!"})
    assert read_tokenizer(folder)("cat").tolist() == [[49406, 2368, 49407] + [0] * 74]


def test_settings_may_be_dicts_or_missing(tmp_path, tokenizer):
    folder = folder_with(tmp_path)
    assert read_tokenizer(folder)("cat").tolist() == tokenizer("cat").tolist()
    token = {"content": "!", "lstrip": False, "normalized": True}
    folder = folder_with(tmp_path, tokenizer_config={"pad_token": token, "model_max_length": 10})
    assert read_tokenizer(folder)("cat").tolist() == [[49406, 2368, 49407] + [0] * 7]


def test_cutting_names_the_words_and_keeps_the_end(tokenizer):
    with pytest.warns(UserWarning, match='77 tokens .* reads 75; cut: "dog Rides"$'):
        ids = tokenizer("cat " * 75 + "dog Rides")
    assert ids.shape == (1, 77)
    assert ids[0].tolist() == [49406] + [2368] * 75 + [49407]


def test_a_word_cut_in_the_middle_is_named_whole(tokenizer):
    assert tokenizer.pieces("unbelievableness")[1:-1] == ["unbeliev", "ab", "leness</w>"]
    with pytest.warns(UserWarning, match='cut: "unbelievableness indeed"$'):
        tokenizer("cat " * 74 + "unbelievableness indeed")


def test_a_prompt_that_just_fits_is_not_cut(tokenizer):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ids = tokenizer("cat " * 75)
    assert ids[0].tolist() == [49406] + [2368] * 75 + [49407]


def test_a_small_vocabulary(tmp_path):
    letters = "abcdeghimnostk"
    tokens = [
        *letters,
        *(c + "</w>" for c in letters),
        "ca",
        "cat</w>",
        "man</w>",
        "ma",
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    vocab = {token: i for i, token in enumerate(tokens)}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    (tmp_path / "merges.txt").write_text("#version: 0.2\nc a\nca t</w>\nm a\nma n</w>\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 24}))
    tokenizer = read_tokenizer(tmp_path)
    assert tokenizer.pieces("A cat. Man") == [
        "<|startoftext|>",
        "a</w>",
        "cat</w>",
        "<|endoftext|>",
        "man</w>",
        "<|endoftext|>",
    ]
    ids = tokenizer(["a cat", "man"])
    assert ids.shape == (2, 24)
    assert ids[0, -1] == vocab["<|endoftext|>"]


def test_a_vocabulary_without_the_padding_token_is_refused():
    with pytest.raises(ValueError, match="lacks <pad>"):
        Tokenizer({"<|startoftext|>": 0, "<|endoftext|>": 1}, [], pad="<pad>")

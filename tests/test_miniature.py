"""What the exporter would write beside the weights is what lies in weights/mini."""

import json
from pathlib import Path

from tav.text import END, START
from weights.make import miniature as made

MINI = Path(__file__).parents[1] / "weights" / "mini"
VOCABULARY = json.loads((MINI / "tokenizer" / "vocab.json").read_text(encoding="utf-8"))
TEXT = made.text_config(VOCABULARY, VOCABULARY[START], VOCABULARY[END])
WRITTEN = {
    "model_index.json": made.MODEL_INDEX,
    "tav.json": made.DEFAULTS,
    "scheduler/scheduler_config.json": made.SCHEDULER,
    "unet/config.json": made.UNET_CONFIG,
    "vae/config.json": made.VAE_CONFIG,
    "text_encoder/config.json": TEXT,
    "clip/config.json": made.clip_config(TEXT),
    "clip/preprocessor_config.json": made.PREPROCESSOR,
}


def test_an_export_would_change_no_setting():
    for name, value in WRITTEN.items():
        assert json.loads((MINI / name).read_text(encoding="utf-8")) == value, name


def test_nothing_else_is_written():
    copied = {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"}
    found = {
        str(file.relative_to(MINI)) for file in MINI.rglob("*.json") if file.name not in copied
    }
    assert found == set(WRITTEN)

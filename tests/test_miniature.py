"""What the exporter would write beside the weights is what lies in weights/mini."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "weights" / "make"))
import miniature as made  # noqa: E402

MINI = ROOT / "weights" / "mini"
VOCABULARY = {
    "vocab_size": len(json.loads((MINI / "tokenizer" / "vocab.json").read_text(encoding="utf-8")))
}
WRITTEN = {
    "model_index.json": made.MODEL_INDEX,
    "tav.json": made.DEFAULTS,
    "scheduler/scheduler_config.json": made.SCHEDULER,
    "unet/config.json": made.UNET_CONFIG,
    "vae/config.json": made.VAE_CONFIG,
    "text_encoder/config.json": made.TEXT_CONFIG | made.TEXT | VOCABULARY,
    "clip/config.json": made.clip_config(made.TEXT | VOCABULARY),
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

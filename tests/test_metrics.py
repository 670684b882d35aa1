"""Metrics: CLIP equals transformers' CLIPModel and its image processor; scores of videos known
beforehand."""

import csv
import json
import math
import random
from pathlib import Path

import golden
import numpy as np
import pytest
import tiny
import torch
from command import SHORT, call, copy, succeed, write_clip
from safetensors.torch import load_file, save_file
from torch import Tensor

import sample
import tune
from tav.io.cli import UserError
from tav.io.files import tensors
from tav.io.video import read_clip
from tav.io.weights import load_clip
from tav.metrics import CLIP, MEAN, STD, frame_consistency, preprocess, textual_alignment
from tav.text import END, START
from weights.make.world.motions import random_scene
from weights.make.world.styles import draw

ROOT = Path(__file__).parents[1]
SIZES = golden.sizes("metrics")
SHAPES = [name.split(".")[1] for name in golden.read("metrics")[1] if name.startswith("frames.")]
ACTS = ["quick_gelu", "gelu"]  # OpenAI's CLIP, OpenCLIP


def clip(act: str) -> CLIP:
    text, vision = ({**SIZES[part], "hidden_act": act} for part in ("text", "vision"))
    model = CLIP(text, vision, SIZES["width"])
    # strict: the published names, none missing, none left
    model.load_state_dict(golden.read("metrics")[0])
    return model.eval().requires_grad_(False)


def pixels() -> Tensor:
    """The reference's prepared pictures, all of them."""
    outputs = golden.read("metrics")[2]
    return torch.cat([outputs[f"pixels.{shape}"] for shape in sorted(SHAPES, key=order)])


def order(shape: str) -> int:
    """In which order make.py drew them."""
    return ["16x16", "16x19", "37x50", "53x41", "9x12", "49x49"].index(shape)


def folder_of(path: Path, act: str = "quick_gelu") -> Path:
    """The golden CLIP as a folder, with a tokenizer that knows bytes only."""
    path.mkdir(parents=True, exist_ok=True)
    config = {f"{part}_config": {**SIZES[part], "hidden_act": act} for part in ("text", "vision")}
    write(path / "config.json", {"model_type": "clip", "projection_dim": SIZES["width"], **config})
    write(
        path / "preprocessor_config.json",
        {"image_mean": MEAN, "image_std": STD, "resample": 3, "size": 16},
    )
    save_file(
        {name: value.half() for name, value in golden.read("metrics")[0].items()},
        path / "model.safetensors",
    )
    # of 256 bytes
    alphabet = [*map(chr, [*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324)])]
    pieces = [*alphabet, *(letter + "</w>" for letter in alphabet), START, END]
    write(path / "vocab.json", {piece: i for i, piece in enumerate(pieces)})
    (path / "merges.txt").write_text("#version: 0.2\n")
    return path


def write(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content), encoding="utf-8")


def change(file: Path, part: str | None = None, **values) -> None:
    """Set keys of a JSON file, or of one of its objects; None takes the key away."""
    content = json.loads(file.read_text(encoding="utf-8"))
    target = content[part] if part else content
    target |= values
    for key in [key for key, value in values.items() if value is None]:
        del target[key]
    write(file, content)


# ---- the reference


@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_are_prepared_as_transformers_does(shape):
    _, inputs, expected = golden.read("metrics")
    frames = inputs[f"frames.{shape}"].float() / 127.5 - 1
    assert torch.equal(preprocess(frames, 16), expected[f"pixels.{shape}"])


@pytest.mark.parametrize("act", ACTS)
def test_embeddings_equal_transformers(act):
    _, inputs, expected = golden.read("metrics")
    model = clip(act)
    pictures, texts = model.embed_images(pixels()), model.embed_texts(inputs["ids"], end=513)
    assert (pictures - expected[f"{act}.pictures"]).abs().max() <= 1e-6
    assert (texts - expected[f"{act}.texts"]).abs().max() <= 1e-6
    logits = model.logit_scale.exp() * pictures @ texts.T
    assert (logits - expected[f"{act}.logits"]).abs().max() <= 1e-6


def test_the_other_gelu_is_wrong():
    _, inputs, expected = golden.read("metrics")
    model = clip("gelu")
    assert (model.embed_images(pixels()) - expected["quick_gelu.pictures"]).abs().max() > 1e-3
    assert (
        model.embed_texts(inputs["ids"], end=513) - expected["quick_gelu.texts"]
    ).abs().max() > 1e-3


# ---- loading


@pytest.mark.parametrize("act", ACTS)
def test_a_folder_loads(act, tmp_path):
    model, tokenizer = load_clip(folder_of(tmp_path, act))
    assert (
        model.embed_images(pixels()) - golden.read("metrics")[2][f"{act}.pictures"]
    ).abs().max() <= 1e-6
    ids = tokenizer("a cat")
    assert ids.shape == (1, 77) and ids[0, 5] == tokenizer.end == 513  # start, a, c, a, t, end
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_old_files_have_position_ids(tmp_path):
    file = folder_of(tmp_path) / "model.safetensors"
    old = {
        f"{tower}_model.embeddings.position_ids": torch.arange(n)[None]
        for tower, n in {"text": 77, "vision": 17}.items()
    }
    save_file(load_file(file) | old, file)
    assert torch.equal(
        load_clip(tmp_path)[0].embed_images(pixels()), clip("quick_gelu").embed_images(pixels())
    )


def test_what_a_config_leaves_out_is_transformers_default(tmp_path):
    config = folder_of(tmp_path, "quick_gelu") / "config.json"
    change(config, "text_config", hidden_act=None, max_position_embeddings=None)
    change(config, "vision_config", hidden_act=None)
    assert torch.equal(
        load_clip(tmp_path)[0].embed_images(pixels()), clip("quick_gelu").embed_images(pixels())
    )


def test_the_miniature_has_its_clip():
    model, tokenizer = load_clip(ROOT / "weights" / "mini" / "clip")
    assert model.image_size == 128 and tokenizer.length == 32


def other_shape(folder: Path) -> None:
    weights = dict(tensors(folder / "model.safetensors"))
    save_file(
        weights | {"text_projection.weight": torch.zeros(20, 31)}, folder / "model.safetensors"
    )


FAULTS = {
    "no config": (lambda f: (f / "config.json").unlink(), "/config.json: no such file"),
    "no preprocessor": (
        lambda f: (f / "preprocessor_config.json").unlink(),
        "/preprocessor_config.json: no such file",
    ),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "model.safetensors: no such file"),
    "no vocabulary": (lambda f: (f / "vocab.json").unlink(), "vocab.json"),
    "a config that is none": (
        lambda f: (f / "config.json").write_text("{"),
        "cannot be read as JSON",
    ),
    "weights that are none": (
        lambda f: (f / "model.safetensors").write_text("x"),
        "not a whole safetensors file",
    ),
    "weights of another size": (
        other_shape,
        "text_projection.weight is (20, 31) instead of (20, 32)",
    ),
    "another mean": (
        lambda f: change(f / "preprocessor_config.json", image_mean=[0.5] * 3),
        "image_mean = ",
    ),
    "another std": (
        lambda f: change(f / "preprocessor_config.json", image_std=[0.5] * 3),
        "image_std = ",
    ),
    "another resize": (
        lambda f: change(f / "preprocessor_config.json", resample=2),
        "resample = 2",
    ),
    "another eps": (
        lambda f: change(f / "config.json", "vision_config", layer_norm_eps=1e-6),
        "layer_norm_eps = ",
    ),
    "another gelu": (
        lambda f: change(f / "config.json", "vision_config", hidden_act="relu"),
        "'relu'",
    ),
    "no towers": (lambda f: change(f / "config.json", text_config=None), "no config of the text"),
    "a text tower alone": (
        lambda f: change(f / "config.json", vision_config=None),
        "no config of the vision tower",
    ),
    "another projection": (
        lambda f: change(f / "config.json", projection_dim=21),
        "(20, 32) instead of (21, 32)",
    ),
    "no size": (
        lambda f: change(f / "config.json", "vision_config", patch_size=0),
        "patch_size = 0",
    ),
}


@pytest.mark.parametrize(("spoil", "words"), FAULTS.values(), ids=FAULTS)
def test_a_folder_with_a_fault_is_refused(spoil, words, tmp_path):
    spoil(folder_of(tmp_path))
    with pytest.raises(UserError) as error:
        load_clip(tmp_path)
    assert words in str(error.value) and str(tmp_path) in str(error.value)


# ---- scores


def test_scores_are_the_mean_cosines():
    e = torch.eye(4)
    vectors = torch.stack([e[0], e[0], e[1], (e[0] + e[1]) / 2**0.5])
    assert frame_consistency(vectors) == pytest.approx(
        100 * (1 + 4 * 0.5**0.5 - 0.5**0.5) / 6, rel=1e-6
    )
    assert textual_alignment(vectors, e[1]) == pytest.approx(100 * (1 + 0.5**0.5) / 4, rel=1e-6)
    assert frame_consistency(e) == 0
    assert math.isnan(frame_consistency(e[:1]))


def test_a_still_has_exactly_100_and_unrelated_pictures_far_less():
    model, _ = load_clip(ROOT / "weights" / "mini" / "clip")
    rng = random.Random(0)
    drawn = [np.asarray(draw(random_scene(rng))) for _ in range(8)]
    unrelated = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float() / 127.5 - 1
    film, _ = read_clip(ROOT / "clip.mp4", frames=8, stride=2, size=128)

    def consistency(frames: Tensor) -> float:
        return frame_consistency(model.embed_images(preprocess(frames, 128)))

    assert consistency(film[:1].repeat(8, 1, 1, 1)) == 100
    assert consistency(unrelated) + 20 < consistency(film) < 100


# ---- sample.py --score


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run of three steps on a tiny model that has a CLIP beside it; not to be changed."""
    place = tmp_path_factory.mktemp("done")
    write_clip(place / "clip.gif")
    folder_of(tiny.folder(place / "weights") / "clip")
    succeed(tune, *SHORT, folder=place)
    return place


QUICK = ["--run", "run", "--steps", "2", "--guidance", "3"]


@pytest.mark.parametrize("clip", [[], ["--clip", "elsewhere"]])
def test_score_prints_a_table_and_writes_it(clip, done, tmp_path):
    place = copy(done, tmp_path)
    if clip:
        (place / "weights" / "clip").rename(place / "elsewhere")
    out = succeed(sample, 'a "cat", skiing', "a dog", *QUICK, "--score", *clip, folder=place).out
    rows = list(csv.reader((place / "run" / "samples" / "scores.csv").open(encoding="utf-8")))
    assert rows[0] == ["video", "consistency", "alignment"]
    assert [row[0] for row in rows[1:]] == ["source: a man is skiing", 'a "cat", skiing', "a dog"]
    for line, row in zip(out.splitlines(), rows):
        assert line.split(maxsplit=2) == [*row[1:], row[0]]
    assert out.splitlines()[4].startswith("edits: ")

    model, tokenizer = load_clip(folder_of(tmp_path / "again"))
    frames = load_file(place / "run" / "source.safetensors")["frames"].float() / 127.5 - 1
    vectors = model.embed_images(preprocess(frames, 16))
    text = model.embed_texts(tokenizer("a man is skiing"), tokenizer.end)[0]
    scores = [frame_consistency(vectors), textual_alignment(vectors, text)]
    assert list(map(float, rows[1][1:])) == pytest.approx(scores, abs=0.0051)
    # each is compared with its own prompt, in which they differ
    assert len({row[2] for row in rows[1:]}) == 3


def test_without_score_no_clip_is_loaded(done, tmp_path):
    place = copy(done, tmp_path)
    (place / "weights" / "clip" / "config.json").unlink()
    succeed(sample, "a cat", *QUICK, folder=place)
    assert not (place / "run" / "samples" / "scores.csv").exists()


@pytest.mark.parametrize("clip", [["--score"], ["--clip", "nowhere"]])
def test_without_a_clip_nothing_is_sampled(clip, done, tmp_path):
    place = copy(done, tmp_path)
    (place / "weights" / "clip").rename(place / "elsewhere")
    before = sorted((place / "run").rglob("*"))
    result = call(sample, "a cat", *QUICK, *clip, folder=place)
    assert result.status == 2 and result.err.count("\n") == 1
    folder = clip[1] if clip[1:] else "weights/clip"
    assert f"{folder}/config.json: no such file" in result.err
    assert "see weights/README.md" in result.err
    assert sorted((place / "run").rglob("*")) == before

"""Damaged and hostile model folders and run folders: loaded or refused in one line, and quickly.

Seeded, so that the same damage is done each time. Whatever else comes out of `load` or of reading a
run folder (a traceback, a process that dies) fails the test. By default a tenth of the damage is
done; `-m slow` does it all.
"""

import json
import random
import resource
import shutil
import tarfile
import time
from copy import deepcopy
from pathlib import Path

import golden
import pytest
import tiny
from command import SHORT, succeed, write_clip

import tune
from tav.io.cli import UserError, own_settings
from tav.io.runs import Run
from tav.io.weights import load, load_clip

ROOT = Path(__file__).parents[1]
VALUES = [True, False, None, 0, -1, 1, 3, 7, 2**31, 10**30, 0.5, -0.5, 8.0, 1e308, float("inf")]
VALUES += [float("nan"), "", "8", "a" * 5000, [], [[]], [0], [64, -64], [64, True], [64] * 99, {}]
DEEP = "[" * 200_000


def times(many: int) -> pytest.MarkDecorator:
    """How often a test does its damage: a tenth of that by default, all of it if slow."""
    return pytest.mark.parametrize(
        "rounds", [many // 10, pytest.param(many, marks=pytest.mark.slow)]
    )


def one_line(error: UserError) -> None:
    said = str(error)
    assert "; " in said and "\n" not in said and len(said) < 1000, said[:2000]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("weights"))


# ---- model folders


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[Path]:
    """A folder as today's libraries save it, and one with the tokenizer's older files. Both hold
    learned words, and the settings of a model."""
    places = []
    for name in ("today", "older"):
        place = tmp_path_factory.mktemp(name)
        with tarfile.open(golden.HERE / "saved_today.tar.xz") as archive:
            archive.extractall(place, filter="data")
        shutil.copy(ROOT / "weights" / "mini" / "tav.json", place)
        places.append(place)
    tokenizer = places[1] / "tokenizer"
    (tokenizer / "tokenizer.json").unlink()
    for file in (ROOT / "weights" / "mini" / "tokenizer").iterdir():
        shutil.copy(file, tokenizer)
    (tokenizer / "added_tokens.json").write_text('{"<cat-toy>": 715, "sks": 716}')
    return places


def change_values(chance: random.Random, values: dict) -> None:
    """One to three values of an object, at any depth, say something else, or are gone."""
    for _ in range(chance.randint(1, 3)):
        place = values
        while True:
            keys = [*place] if isinstance(place, dict) else range(len(place))
            key = chance.choice([*keys, "a_new_key"] if isinstance(place, dict) else keys)
            inner = place.get(key) if isinstance(place, dict) else place[key]
            if not isinstance(inner, (dict, list)) or not inner or chance.random() < 0.5:
                break
            place = inner
        if isinstance(place, dict) and chance.random() < 0.2:
            place.pop(key, None)
        else:
            place[key] = deepcopy(chance.choice(VALUES))  # it may be changed itself


def damage(chance: random.Random, folder: Path) -> None:
    """Something is wrong with one file of a model folder."""
    file = chance.choice(sorted(file for file in folder.rglob("*") if file.is_file()))
    data = file.read_bytes()
    way = chance.choice(["values", "values", "values", "bytes", "cut", "gone", "other"])
    if way == "values" and file.suffix == ".json":
        values = json.loads(data)
        change_values(chance, values)
        data = json.dumps(values).encode()
    elif way == "values" and file.suffix == ".safetensors":  # in its header
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        change_values(chance, header)
        text = json.dumps(header).encode()
        data = len(text).to_bytes(8, "little") + text + data[8 + length :]
    elif way == "cut":
        data = data[: chance.randrange(len(data))]
    elif way == "other":
        choices = [b"", b"{}", b"[]", b"null", b"\xff" * 9, DEEP.encode()]
        data = chance.choice([*choices, b"version https://git-lfs.github.com/spec/v1\n"])
    else:  # a few of the first bytes
        data = bytearray(data)
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(min(len(data), 400))] = chance.randrange(256)
    file.unlink()
    if way != "gone":
        file.write_bytes(data)


def quick(path: Path, loading=load) -> bool:
    """Load it: in one line if not at all, and soon. Whether it was loaded."""
    began = time.process_time()
    loaded = True
    try:
        loading(path)
    except UserError as error:
        one_line(error)
        loaded = False
    assert time.process_time() - began < 2
    return loaded


@times(300)
def test_damaged_model_folders(models, tmp_path, rounds):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    chance, loaded = random.Random(0), 0
    for i in range(rounds):
        folder = shutil.copytree(models[i % 2], tmp_path / f"{i}")
        damage(chance, folder)
        loaded += quick(folder)
        shutil.rmtree(folder)
    assert 0 < loaded < rounds / 2  # most damage is noticed
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert kilobytes < 300_000


@times(100)
def test_damaged_single_files(tmp_path, rounds):
    """A file that says much of itself, damaged where it does."""
    names = ["cond_stage_model.model.ln_final.bias", "v_pred", "model.diffusion_model.out.2.bias"]
    names += ["first_stage_model.decoder.up.3.block.0.conv1.weight", "x.attn.in_proj_weight"]
    header = {"__metadata__": {"modelspec.prediction_type": "v", "modelspec.architecture": "x"}}
    header |= {n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in names}
    chance = random.Random(0)
    for _ in range(rounds):
        values = json.loads(json.dumps(header))
        change_values(chance, values)
        text = json.dumps(values).encode()
        file = tmp_path / "sd.safetensors"
        file.write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * 4)
        assert not quick(file)


@pytest.mark.parametrize("name", ["unet/config.json", "tav.json", "tokenizer/vocab.json"])
def test_json_that_is_nested_too_deep_is_refused(weights, tmp_path, name):
    folder = shutil.copytree(weights, tmp_path / "sd", symlinks=True)
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_text(DEEP)
    with pytest.raises(UserError) as raised:
        load(folder)
    one_line(raised.value)


def test_damaged_settings_of_the_weights():
    for value in VALUES:
        for own in ({"tune": value}, {"tune": {"steps": value}}, {"sample": {"prompts": value}}):
            try:
                own_settings(Path("tav.json"), own)
            except UserError as error:
                one_line(error)


@times(200)
def test_damaged_configs_of_clip(tmp_path, monkeypatch, rounds):
    monkeypatch.setattr("tav.io.weights.fill", lambda *given: None)
    monkeypatch.setattr("tav.io.weights.load_tokenizer", lambda *given: None)
    folder = shutil.copytree(ROOT / "weights" / "mini" / "clip", tmp_path / "clip")
    chance = random.Random(0)
    for _ in range(rounds):
        file = folder / chance.choice(["config.json", "preprocessor_config.json"])
        whole = file.read_text()
        config = json.loads(whole)
        change_values(chance, config)
        file.write_text(json.dumps(config))
        quick(folder, load_clip)
        file.write_text(whole)


# ---- the settings of a run; test_damaged_runs.py damages its tensors


@pytest.fixture(scope="module")
def done(tmp_path_factory, weights):
    """A folder with a clip and a run in it; not to be changed."""
    place = tmp_path_factory.mktemp("done")
    write_clip(place / "clip.gif")
    (place / "weights").symlink_to(weights)
    succeed(tune, *SHORT, folder=place)
    return place


def test_damaged_settings_of_a_run(done, tmp_path):
    shutil.copytree(done / "run", tmp_path / "run")
    folder, whole = Run(tmp_path / "run"), json.loads((done / "run" / "run.json").read_text())
    for key in ("steps", "lr", "seed", "size", "dtype", "clip", "seconds", "memory", "frames"):
        for value in (None, True, -1, [], {}, ""):
            (folder.path / "run.json").write_text(json.dumps(whole | {key: value}))
            with pytest.raises(UserError, match=f"run.json: {key} = ") as raised:
                folder.settings
            one_line(raised.value)

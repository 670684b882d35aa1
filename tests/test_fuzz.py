"""Damaged and hostile configs and run folders: each is loaded or refused in one line, quickly.

Seeded, so that the same damage is done each time. Whatever else comes out of `load` or of reading a
run folder (a traceback, a process that dies) fails the test.
"""

import json
import random
import shutil
import time
from pathlib import Path

import pytest
import tiny
from command import SHORT, succeed, write_clip

import tune
from tav.io.cli import UserError, own_settings
from tav.io.runs import Run
from tav.io.weights import PARTS, load, load_clip

ROOT = Path(__file__).parents[1]
VALUES = [True, False, None, 0, -1, 1, 3, 7, 2**31, 10**30, 0.5, -0.5, 8.0, 1e308, float("inf")]
VALUES += [float("nan"), "", "8", "a" * 5000, [], [[]], [0], [64, -64], [64, True], [64] * 99, {}]
DEEP = "[" * 200_000


def one_line(error: UserError) -> None:
    said = str(error)
    assert "; " in said and "\n" not in said and len(said) < 1000, said[:2000]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("weights"))


# ---- configs


def only_configs(monkeypatch) -> None:
    """Let `load` read no tensors and no vocabulary, which are not the point and take their time."""
    monkeypatch.setattr("tav.io.weights.fill", lambda *arguments: None)
    monkeypatch.setattr("tav.io.weights.file_digest", lambda file: "")
    monkeypatch.setattr("tav.io.weights.load_tokenizer", lambda *arguments: None)


def quick(path: Path, loading=load) -> None:
    began = time.monotonic()
    try:
        loading(path)
    except UserError as error:
        one_line(error)
    assert time.monotonic() - began < 2


def test_damaged_configs(weights, tmp_path, monkeypatch):
    """One to three keys of one config say something else."""
    only_configs(monkeypatch)
    folder = shutil.copytree(weights, tmp_path / "sd", symlinks=True)
    chance = random.Random(0)
    for _ in range(100):
        part = chance.choice([*PARTS, "scheduler"])
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        file = folder / part / name
        whole = file.read_text()
        config = json.loads(whole)
        for key in chance.sample([*config, "norm_num_groups", "a_new_key"], chance.randint(1, 3)):
            config[key] = chance.choice(VALUES)
        file.write_text(json.dumps(config))
        quick(folder)
        file.write_text(whole)


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


def test_damaged_configs_of_clip(tmp_path, monkeypatch):
    only_configs(monkeypatch)
    folder = shutil.copytree(ROOT / "weights" / "mini" / "clip", tmp_path / "clip")
    file = folder / "config.json"
    whole = file.read_text()
    chance = random.Random(0)
    for _ in range(60):
        config = json.loads(whole)
        part = chance.choice([config, config["text_config"], config["vision_config"]])
        for key in chance.sample([*part], chance.randint(1, 3)):
            part[key] = chance.choice(VALUES)
        file.write_text(json.dumps(config))
        quick(folder, load_clip)


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

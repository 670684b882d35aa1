"""`pip install .` is enough for whatever does not need the repository's weights."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "tav")
TOKENIZE = """
import tav
from tav.io.vocabulary import CLIP_TOKENIZER, read_tokenizer
print(tav.__file__)
print(CLIP_TOKENIZER)
tokenizer = read_tokenizer(CLIP_TOKENIZER)
print(*tokenizer.pieces("unbelievableness"), tokenizer.length)
"""
LOAD = """
import tav
from tav.io.cli import UserError
try:
    tav.load("weights/mini")
except UserError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the package as pip installs it, from a copy: a build leaves files behind."""
    for name in ("pip", "setuptools"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not there")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, source)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", target]
    pip = [sys.executable, "-m", "pip", "install", *options, source]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def output(code: str, installed: Path, folder: Path) -> list[str]:
    """The lines that a Python in `folder` prints, which sees the installed package only."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_tokenizer_is_installed_with_the_package(installed, tmp_path):
    package, folder, pieces = output(TOKENIZE, installed, tmp_path)
    assert Path(package).is_relative_to(installed) and Path(folder).is_relative_to(installed)
    assert pieces == "<|startoftext|> unbeliev ab leness</w> <|endoftext|> 77"


def test_without_the_repository_the_miniature_is_not_sought_on_the_hub(installed, tmp_path):
    assert output(LOAD, installed, tmp_path) == [
        "weights/mini: no such weights folder or file; "
        "give its whole path, or see weights/README.md for where to get one"
    ]

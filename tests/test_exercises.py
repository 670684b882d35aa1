"""The exercises of the lessons: right answers pass their checks, wrong ones and unsolved stubs do
not."""

import importlib
from pathlib import Path

import pytest

from lessons.exercises.test_exercises import CHECKS, load

FOLDER = Path(__file__).parents[1] / "lessons" / "exercises"

checks = pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.file}-{check.name}")


def answer(file: str):
    return importlib.import_module(f"lessons.exercises.answers.{file}")


@checks
def test_the_answer_passes(check):
    check(getattr(answer(check.file), check.name))


@checks
def test_a_wrong_answer_does_not(check):
    with pytest.raises(AssertionError):
        check(answer(check.file).WRONG)


@checks
def test_the_unsolved_stub_fails(check):
    if "raise NotImplementedError" not in (FOLDER / f"{check.file}.py").read_text(encoding="utf-8"):
        pytest.skip("solved")
    with pytest.raises(NotImplementedError):
        check(load(check.file, check.name))


def test_every_stub_has_a_check_and_an_answer():
    stubs = {path.stem for path in FOLDER.glob("e*.py")}
    assert (
        stubs
        == {check.file for check in CHECKS}
        == {path.stem for path in (FOLDER / "answers").glob("e*.py")}
    )

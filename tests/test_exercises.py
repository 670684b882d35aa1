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
def test_the_answer_passes_and_neither_a_wrong_one_nor_the_stub_does(check):
    check(getattr(answer(check.file), check.name))
    with pytest.raises(AssertionError):
        check(answer(check.file).WRONG)
    if "raise NotImplementedError" in (FOLDER / f"{check.file}.py").read_text(encoding="utf-8"):
        with pytest.raises(NotImplementedError):  # unless the reader has solved it
            check(load(check.file, check.name))


def test_every_stub_has_a_check_and_an_answer():
    stubs = {path.stem for path in FOLDER.glob("e*.py")}
    assert (
        stubs
        == {check.file for check in CHECKS}
        == {path.stem for path in (FOLDER / "answers").glob("e*.py")}
    )

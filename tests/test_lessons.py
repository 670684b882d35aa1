"""The lessons are true: blocks run; outputs, quotes, figures, links and names are what they say.

How to write a lesson, `lessons/NN-name.md`, or `lessons/NNb-name.md` between two numbers:

- ```python: executed, in order, all blocks of a lesson in one namespace, in the repository's root.
  Seed what you draw: the lesson is run with various seeds before its first block. Files go to runs/
  only.
- ```text, as the next fence after a block, is what it prints. Exactly; or, under a line
  `<!-- within 5 % -->` or `<!-- within 0.02 -->`, each number may differ by that much. A block that
  prints has one. `lessons.update` writes it.
- `show("01-round-trip", frame=..., ...)` of lessons/show.py makes a picture, whose name begins with
  the lesson's number. `![alt](figures/01-round-trip.png)` shows the reader the same picture:
  `lessons.update` keeps it there. LOOK at it.
- `<!-- quote tav/schedule.py Schedule.add_noise -->` right above a ```python: that symbol's source,
  without docstring and indentation; not executed. A module's constant can be quoted too.
  `lessons.update` writes it.
- ```sh: shown, not run; the scripts and options in it must exist. A fence without a language:
  anything else.
- A figure that no block shows is a diagram, `![alt](figures/NN-some-name.png)`: drawn by the
  function `some_name(ns)` of lessons/figures.py, which gets the namespace that the blocks leave.
  `python -m lessons.figures NN` remakes it. LOOK at it.
- `<details><summary>Going deeper: ...</summary>`, an empty line, markdown, an empty line,
  `</details>`: folded, at the end of a lesson, for what most readers can skip. Its blocks run too.
- `python -m lessons.counts` counts words, lines to type and the share of the code that is quoted.
- `tav/unet.py` in backticks must be a file; with ` (222 lines)` behind it, that long
  (`lessons.update` counts anew). An identifier in backticks must occur in the code, in a block of
  the lesson, in the model's configs, or in torch; a piece of code in backticks (`a.sqrt() * x0`:
  below a formula, the line that computes it) as it is in the code.
- An exercise is `lessons/exercises/eNN_name.py`: one function or class to write, which raises
  NotImplementedError. Its answer, and a wrong one, are in `answers/` under the same name, its check
  is in `test_exercises.py` there.

    python -m pytest tests/test_lessons.py -k 03            # what a lesson says
    python -m pytest tests/test_lessons.py -k 03 -m slow    # runs its blocks, draws its figures
    python -m lessons.update 03 04                          # rewrites outputs, quotes, line counts

`lessons/questions.md` and `lessons/porting.md` are written, run and updated (`lessons.update
questions`) in the same way.
"""

import builtins
import functools
import re
import sys
from pathlib import Path

import pytest
import torch

from lessons import figures
from lessons.blocks import blocks, fences, lesson_files, quotes, run_blocks, same, shown, source
from lessons.counts import prose
from lessons.symbols import ROOT, definitions, find, read
from lessons.update import COUNTED, PAGES, lines_of

LESSONS = lesson_files([])
RUN = [*LESSONS, *PAGES]
DOCUMENTS = [ROOT / "README.md", *RUN]
TAV_FILES = [*sorted(ROOT.glob("tav/*.py")), *sorted(ROOT.glob("tav/io/*.py"))]
SOURCES = [
    *TAV_FILES,
    *ROOT.glob("*.py"),
    *ROOT.glob("weights/make/**/*.py"),
    *ROOT.glob("weights/benchmark/**/*.py"),
    *ROOT.glob("lessons/*.py"),
]


# ---- what blocks print and draw


def test_outputs_are_compared_as_noted():
    shown = "loss 0.50 of 10\n"
    assert same(shown, shown, "") and not same(shown, "loss 0.51 of 10\n", "")
    for note in ("within 5 %", "within 0.03"):
        assert same(shown, "loss 0.52 of 10\n", note)
        for words in ("loss 0.54 of 10", "loss -0.50 of 10", "lose 0.50 of 10", "loss 0.50"):
            assert not same(shown, words + "\n", note), words


@pytest.fixture(scope="module")
def ran(request) -> tuple[Path, list[str], dict, set[Path]]:
    """A lesson; what its blocks printed; the namespace they leave; and the files they leave beside
    runs/."""
    before = set(ROOT.iterdir())
    printed, ns = run_blocks(request.param, seed=2)  # what updates a lesson has seed 1
    left = {
        path for path in set(ROOT.iterdir()) - before if path.name not in ("runs", ".pytest_cache")
    }
    return request.param, printed, ns, left


run_lessons = pytest.mark.parametrize("ran", RUN, ids=lambda path: path.stem, indirect=True)


@pytest.mark.slow
@run_lessons
def test_blocks_print_what_is_shown(ran):
    lesson, printed, _, left = ran
    for (block, said), out in zip(blocks(read(lesson)), printed, strict=True):
        place = f"{lesson.name}, line {block.first + 1}"
        assert said or not out, f"{place}: prints, but shows no ```text\n{out}"
        if said:
            assert same(said.code, out, said.note), f"{place}: shown\n{said.code}printed\n{out}"
    assert not left, f"{lesson.name} leaves files outside runs/: {left}"


@pytest.mark.slow
@run_lessons
def test_figures_can_be_drawn(ran, tmp_path):
    """Into nowhere: that the committed ones are new is for the eye to see."""
    pytest.importorskip("matplotlib")
    lesson, _, ns, _ = ran
    for name in figures.names(lesson):
        figures.save(figures.draw(name, ns), tmp_path / "figure.png")
        assert (tmp_path / "figure.png").stat().st_size <= figures.MOST_BYTES, name


# ---- what lessons say


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_what_it_says_is_true(document):
    for check in (quotes_are_the_source, figures_are_there, line_counts_are_true, names_are_there):
        check(document)
    commands_exist(document)
    if document in RUN:
        code_in_backticks_is_there(document)


def quotes_are_the_source(document):
    for fence, file, symbol in quotes(read(document)):
        assert fence.code == source(file, symbol), (
            f"{document.name}, line {fence.first + 1}: {file} {symbol}"
        )


def figures_are_there(document):
    for path in re.findall(r"!\[[^\]]*\]\(([^)]*)\)", prose(read(document))):
        file = document.parent / path
        assert file.is_file(), f"{document.name} shows {path}"
        # the README's moving picture
        most = figures.MOST_BYTES * (3 if file.suffix == ".gif" else 1)
        assert file.stat().st_size <= most, f"{path} has {file.stat().st_size:,} bytes"
        function = re.sub(r"^\d\d[a-z]?-", "", file.stem).replace("-", "_")
        made = file.stem in shown(read(document)) or callable(getattr(figures, function, None))
        assert made, f"{path}: no block shows it, and lessons/figures.py has no {function}"


def test_every_figure_is_shown():
    named = {
        name
        for document in DOCUMENTS
        for name in re.findall(r"figures/([\w.-]+)\)", read(document))
    }
    assert {file.name for file in figures.FIGURES.iterdir()} == named


def line_counts_are_true(document):
    for file, count in re.findall(COUNTED, read(document)):
        assert lines_of(file) == int(count.replace(",", "")), f"{document.name}: {file}"


def names_are_there(document):
    """Of files, and identifiers, in backticks."""
    text = read(document)
    known = names_of_the_code() | set(re.findall(r"\w+", own_code(text)))
    for name in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(text)):
        if re.fullmatch(FILE, name) and not name.startswith("runs/"):
            # in code: what a command writes
            assert find(name) or name in the_code(), f"{document.name}: there is no {name}"
        elif re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*(\(\))?", name):
            parts = name.removesuffix("()").split(".")
            unknown = [part for part in parts if part not in known and not part.isdigit()]
            assert not unknown, f"{document.name}: `{name}`, but {unknown} is nowhere in the code"
            if len(parts) > 1 and (file := defined_in(parts[0])):
                there = re.findall(r"\w+", source(file, parts[0]))
                assert parts[1] in there, f"{document.name}: `{name}` is not in {file}"


FILE = r"[\w.-]*(/[\w.-]+)*(/|\.(py|md|json|mp4|txt|toml))"


@functools.cache
def the_code() -> str:
    return "\n".join(map(read, SOURCES))


@functools.cache
def names_of_the_code() -> set[str]:
    """The names of the code, of the configs, of the exercises, of torch and of python."""
    configs = [*ROOT.glob("weights/mini/*/*config.json"), ROOT / "tests" / "data" / "configs.json"]
    others = [*configs, *(ROOT / "lessons" / "exercises").rglob("*.py")]
    written = set(re.findall(r"\w+", " ".join([the_code(), *map(read, others)])))
    modules = [builtins, torch, torch.nn, torch.nn.functional, torch.Tensor]
    return written.union(*map(dir, modules), sys.stdlib_module_names)


def own_code(text: str) -> str:
    """The code of a lesson's own fences."""
    return "\n".join(fence.code for fence in fences(text) if fence.language in ("python", "sh"))


def defined_in(symbol: str) -> Path | None:
    """The file of tav that defines a symbol."""
    return next((file for file in TAV_FILES if symbol in definitions(file)), None)


def code_in_backticks_is_there(lesson):
    """What has an operator or a call in it is a piece of some line of the code, or of the lesson's
    own blocks."""
    text = read(lesson)
    code = " ".join([the_code(), *(fence.code for fence in fences(text))])
    code = " ".join(code.split())
    for piece in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(text)):
        piece = " ".join(piece.split())
        if re.search(r" [*/=+@-] |\w\(.", piece):
            assert piece in code, f"{lesson.name}: `{piece}`"


def commands_exist(document):
    command_line = "".join(map(read, ROOT.glob("tav/io/*.py")))
    for fence in fences(read(document)):
        assert fence.language in ("python", "text", "sh", ""), f"{document.name}: {fence.language}"
        if fence.language == "sh":
            for script, options in re.findall(r"python ([\w./]+\.py)(.*)", fence.code):
                code = read(script) + command_line
                for option in re.findall(r"(--[\w-]+)", options.split(" && ")[0]):
                    key = option[2:].replace("-", "_")  # options are tables, or argparse's
                    known = f'"{option}"' in code or f'"{key}":' in code
                    assert known, f"{document.name}: {script} {option}"


def test_the_map_links_to_all_lessons():
    text = read(ROOT / "README.md")
    assert not [lesson.name for lesson in LESSONS if f"](lessons/{lesson.name})" not in text]

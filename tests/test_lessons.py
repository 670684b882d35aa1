"""The lessons are true: blocks run; outputs, quotes, figures, links and names are what they say.

How to write a lesson, `lessons/NN-name.md`, or `lessons/NNb-name.md` between two numbers:

- ```python: executed, in order, all blocks of a lesson in one namespace, in the repository's root.
  Seed what you draw: the lesson is run with various seeds before its first block. Files go to runs/
  only.
- ```text, as the next fence after a block, is what it prints. Exactly; or, under a line
  `<!-- within 5 % -->` or `<!-- within 0.02 -->`, each number may differ by that much. A block that
  prints has one. `--update` writes it.
- `show("01-round-trip", frame=..., ...)` of lessons/show.py lets the reader look at pictures while
  typing. It prints where they are. Names begin with the lesson's number; LOOK at them.
- `<!-- quote tav/schedule.py Schedule.add_noise -->` right above a ```python: that symbol's source,
  without docstring and indentation; not executed. A module's constant can be quoted too. `--update`
  writes it.
- ```sh: shown, not run; the scripts and options in it must exist. A fence without a language:
  anything else.
- `![alt](figures/NN-some-name.png)` is drawn by the function `some_name(ns)` of lessons/figures.py,
  which gets the namespace that the blocks leave. `python lessons/figures.py NN` remakes it. LOOK at
  it.
- `tav/unet.py` in backticks must be a file; with ` (222 lines)` behind it, that long (`--update`
  counts anew). An identifier in backticks must occur in the code, in a block of the lesson, in the
  model's configs, or in torch; a piece of code in backticks (`a.sqrt() * x0`: below a formula, the
  line that computes it) as it is in the code.
- An exercise is `lessons/exercises/eNN_name.py`: one function or class to write, which raises
  NotImplementedError. Its answer, and wrong answers, are in `answers/` under the same name, its
  check is in `test_exercises.py` there.

    python -m pytest tests/test_lessons.py -k 03
    python tests/test_lessons.py --update 03 04      # rewrites outputs, quotes and line counts

`lessons/questions.md` is written, run and updated (`--update questions`) in the same way.
"""

import ast
import builtins
import importlib
import inspect
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # when run as a script

import pytest  # noqa: E402
import torch  # noqa: E402

from lessons import figures  # noqa: E402

LESSONS = figures.lesson_files([])
QUESTIONS = ROOT / "lessons" / "questions.md"  # a lesson in all but number and figure
RUN = [*LESSONS, QUESTIONS]
DOCUMENTS = [ROOT / "README.md", *RUN]
NUMBER = r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?"
TAV_FILES = [*sorted(ROOT.glob("tav/*.py")), *sorted(ROOT.glob("tav/io/*.py"))]
SOURCES = [
    *TAV_FILES,
    *ROOT.glob("*.py"),
    *ROOT.glob("weights/make/**/*.py"),
    *ROOT.glob("weights/benchmark/**/*.py"),
    *ROOT.glob("lessons/*.py"),
]

lessons = pytest.mark.parametrize("lesson", RUN, ids=lambda path: path.stem)
documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A markdown text with its fences and comments taken out."""
    lines = text.splitlines()
    for fence in reversed(figures.fences(text)):
        del lines[fence.first : fence.last + 1]
    return re.sub(r"<!--.*?-->", "", "\n".join(lines), flags=re.DOTALL)


# ---- the code


def source(file: str, symbol: str) -> str:
    """A symbol's source as lessons quote it: dedented, with decorators, without docstring."""
    text = read(ROOT / file)
    node = ast.parse(text)
    for name in symbol.split("."):
        node = next(child for child in node.body if name in defined(child))
    lines, first = (
        text.splitlines(),
        min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1,
    )
    kept = lines[first : node.end_lineno]
    if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
        start, end = node.body[0].lineno - 1 - first, node.body[0].end_lineno - first
        while end < len(kept) and not kept[end]:
            end += 1
        del kept[start:end]
    return textwrap.dedent("\n".join(kept)) + "\n"


def defined(node: ast.stmt) -> list[str]:
    """The names that a statement of a module or class defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [
        n.id for target in targets if target for n in ast.walk(target) if isinstance(n, ast.Name)
    ]


def quotes(text: str) -> list[tuple[figures.Fence, str, str]]:
    """Each quoting fence of a lesson, with the file and the symbol that it quotes."""
    noted = [fence for fence in figures.fences(text) if fence.note.startswith("quote ")]
    return [(fence, *fence.note.split()[1:]) for fence in noted]


# ---- what blocks print


def same(shown: str, printed: str, note: str) -> bool:
    """Whether a block printed what the lesson shows: exactly, or with numbers as near as its note
    allows."""
    if not (within := re.fullmatch(r"within ([\d.]+)( %)?", note)):
        return shown == printed
    most, relative = float(within[1]), within[2]
    if re.sub(NUMBER, "0", shown).split() != re.sub(NUMBER, "0", printed).split():
        return False
    for a, b in zip(re.findall(NUMBER, shown), re.findall(NUMBER, printed), strict=True):
        a, b = float(a.replace(",", "")), float(b.replace(",", ""))
        if abs(a - b) > (abs(a) * most / 100 if relative else most) * (1 + 1e-9):
            return False
    return True


@pytest.mark.parametrize(
    ("printed", "note", "right"),
    [
        ("loss 0.50 of 10\n", "", True),
        ("loss 0.51 of 10\n", "", False),
        ("loss 0.51 of 10\n", "within 5 %", True),
        ("loss 0.53 of 10\n", "within 5 %", False),
        ("loss 0.53 of 10\n", "within 0.03", True),
        ("loss 0.54 of 10\n", "within 0.03", False),
        ("loss -0.50 of 10\n", "within 5 %", False),
        ("lose 0.50 of 10\n", "within 5 %", False),
        ("loss 0.50\n", "within 5 %", False),
    ],
)
def test_outputs_are_compared_as_noted(printed, note, right):
    assert same("loss 0.50 of 10\n", printed, note) == right


@pytest.fixture(scope="module")
def ran(request) -> tuple[Path, list[str], dict, set[Path]]:
    """A lesson; what its blocks printed; the namespace they leave; and the files they leave beside
    runs/."""
    before = set(ROOT.iterdir())
    printed, ns = figures.run_blocks(request.param, seed=2)  # --update has seed 1
    left = {
        path for path in set(ROOT.iterdir()) - before if path.name not in ("runs", ".pytest_cache")
    }
    return request.param, printed, ns, left


run_lessons = pytest.mark.parametrize("ran", RUN, ids=lambda path: path.stem, indirect=True)


@run_lessons
def test_blocks_print_what_is_shown(ran):
    lesson, printed, _, left = ran
    for (block, shown), out in zip(figures.blocks(read(lesson)), printed, strict=True):
        place = f"{lesson.name}, line {block.first + 1}"
        assert shown or not out, f"{place}: prints, but shows no ```text\n{out}"
        if shown:
            assert same(shown.code, out, shown.note), f"{place}: shown\n{shown.code}printed\n{out}"
    assert not left, f"{lesson.name} leaves files outside runs/: {left}"


@run_lessons
def test_figures_can_be_drawn(ran, tmp_path):
    """Into nowhere: that the committed ones are new is for the eye to see."""
    pytest.importorskip("matplotlib")
    lesson, _, ns, _ = ran
    for name in figures.names(lesson):
        figures.save(figures.draw(name, ns), tmp_path / "figure.png")
        assert (tmp_path / "figure.png").stat().st_size <= figures.MOST_BYTES, name


# ---- what lessons say


@lessons
def test_quotes_are_the_source(lesson):
    for fence, file, symbol in quotes(read(lesson)):
        assert fence.code == source(file, symbol), (
            f"{lesson.name}, line {fence.first + 1}: {file} {symbol}"
        )


@documents
def test_figures_shown_are_there(document):
    for path in re.findall(r"!\[[^\]]*\]\(([^)]*)\)", prose(read(document))):
        file = document.parent / path
        assert file.is_file(), f"{document.name} shows {path}"
        # the README's moving picture
        most = figures.MOST_BYTES * (2 if file.suffix == ".gif" else 1)
        assert file.stat().st_size <= most, f"{path} has {file.stat().st_size:,} bytes"
        function = re.sub(r"^\d\d[a-z]?-", "", file.stem).replace("-", "_")
        assert callable(getattr(figures, function, None)), (
            f"no function {function} in lessons/figures.py"
        )


def test_every_figure_is_shown():
    shown = {
        name
        for document in DOCUMENTS
        for name in re.findall(r"figures/([\w.-]+)\)", read(document))
    }
    assert {file.name for file in figures.FIGURES.iterdir()} == shown


@documents
def test_links_lead_somewhere(document):
    # code and formulas have brackets of their own
    plain = re.sub(r"`[^`]*`|\$[^$]*\$", "x", prose(read(document)))
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", plain):
        if re.match(r"https?:", target):
            continue
        path, _, heading = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"{document.name} links to {path}"
        if heading:
            slugs = [slug(line) for line in read(file).splitlines() if line.startswith("#")]
            assert heading in slugs, f"{document.name} links to {target}"


def slug(heading: str) -> str:
    """How GitHub names a heading in a link."""
    return re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()).strip().replace(" ", "-")


COUNTED = r"`([\w./-]+)`(?:\]\([^)]*\))? \(([\d,]+) lines\)"


@documents
def test_line_counts_are_true(document):
    for file, count in re.findall(COUNTED, read(document)):
        assert len(read(found(file)).splitlines()) == int(count.replace(",", "")), (
            f"{document.name}: {file}"
        )


def found(name: str) -> Path | None:
    """The file or folder that a document means by a name."""
    folders = [
        "tav",
        "tav/io",
        "lessons",
        "lessons/exercises",
        "weights/mini",
        "weights/mini/tokenizer",
    ]
    places = [ROOT, *map(ROOT.joinpath, folders)]
    return next((place / name for place in places if (place / name).exists()), None)


@documents
def test_files_and_names_in_backticks_are_there(document):
    text, code = read(document), " ".join(map(read, SOURCES))
    known = words(text)
    for name in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(text)):
        if re.fullmatch(
            r"[\w.-]*(/[\w.-]+)*(/|\.(py|md|json|mp4|txt|toml))", name
        ) and not name.startswith("runs/"):
            # in code: what a command writes
            assert found(name) or name in code, f"{document.name}: there is no {name}"
        elif re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*(\(\))?", name):
            first, *rest = name.removesuffix("()").split(".")
            if rest and (thing := TAV.get(first)) is not None and inspect.isclass(thing):
                assert set(rest) <= known and re.search(
                    rf"\b{rest[0]}\b", inspect.getsource(thing)
                ), name
            unknown = [part for part in (first, *rest) if part not in known and not part.isdigit()]
            assert not unknown, f"{document.name}: `{name}`, but {unknown} is nowhere in the code"


@lessons
def test_code_in_backticks_is_there(lesson):
    """What has an operator or a call in it is a piece of some line of the code, or of the lesson's
    own blocks."""
    text = read(lesson)
    code = " ".join([*map(read, SOURCES), *(fence.code for fence in figures.fences(text))])
    code = " ".join(code.split())
    pieces = [
        " ".join(piece.split()) for piece in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(text))
    ]
    assert not [
        piece for piece in pieces if re.search(r" [*/=+@-] |\w\(.", piece) and piece not in code
    ]


def words(text: str) -> set[str]:
    """All the names that a lesson may use: of the code, of its own blocks, of the configs, of torch
    and python."""
    own = "".join(
        fence.code for fence in figures.fences(text) if fence.language in ("python", "sh")
    )
    configs = [*ROOT.glob("weights/mini/*/*config.json"), ROOT / "tests" / "data" / "configs.json"]
    written = " ".join(
        map(read, [*SOURCES, *configs, *(ROOT / "lessons" / "exercises").rglob("*.py")])
    )
    modules = [builtins, torch, torch.nn, torch.nn.functional, torch.Tensor]
    return set(re.findall(r"\w+", own + written)).union(*map(dir, modules), sys.stdlib_module_names)


TAV = {}
for _file in TAV_FILES:
    _module = ".".join(_file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    TAV |= vars(importlib.import_module(_module))


def known_options(script: str) -> str:
    """The source of the options of a script: of the two commands, what tav/io/options.py has."""
    options = TAV.get(f"{script.removesuffix('.py')}_options")
    return read(ROOT / script) if options is None else inspect.getsource(options)


@documents
def test_commands_shown_exist(document):
    for fence in figures.fences(read(document)):
        assert fence.language in ("python", "text", "sh", ""), (
            f"{document.name}: ```{fence.language}"
        )
        for script, options in re.findall(
            r"python ([\w./]+\.py)(.*)", fence.code if fence.language == "sh" else ""
        ):
            for option in re.findall(r"(--[\w-]+)", options.split(" && ")[0]):
                assert option in known_options(script), f"{document.name}: {script} {option}"


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_a_title_and_a_figure(lesson):
    number = lesson.name.partition("-")[0]
    assert prose(read(lesson)).startswith(f"# {number} "), "`# NN What it is about`"
    assert figures.names(lesson), "no figure"


def test_the_first_lesson_links_to_all_others():
    text = read(LESSONS[0])
    assert not [lesson.name for lesson in LESSONS[1:] if f"]({lesson.name})" not in text]


# ---- --update


def update(lesson: Path) -> None:
    """Write a lesson's line counts, quotes and outputs as they now are."""
    text = re.sub(COUNTED, recount, read(lesson))
    replace(
        lesson,
        text,
        [(fence.first + 1, fence.last, source(*quoted)) for fence, *quoted in quotes(text)],
    )
    text, changes = read(lesson), []
    printed, _ = figures.run_blocks(lesson, seed=1)
    for (block, shown), out in zip(figures.blocks(text), printed, strict=True):
        out = out if out.endswith("\n") or not out else out + "\n"
        if shown:
            changes.append((shown.first + 1, shown.last, out))
        elif out:
            changes.append((block.last + 1, block.last + 1, f"\n```text\n{out}```\n"))
    replace(lesson, text, changes)


def replace(lesson: Path, text: str, changes: list[tuple[int, int, str]]) -> None:
    """Write a text with other lines for its lines first ... last - 1."""
    lines = text.splitlines()
    for first, last, new in sorted(changes, reverse=True):
        lines[first:last] = new.splitlines()
    lesson.write_text("\n".join(lines) + "\n", encoding="utf-8")


def recount(match: re.Match) -> str:
    lines = len(read(found(match[1])).splitlines())
    return match[0].replace(f"({match[2]} lines)", f"({lines:,} lines)")


if __name__ == "__main__":
    if sys.argv[1:2] != ["--update"]:
        sys.exit("python tests/test_lessons.py --update [03 ... questions]")
    named = sys.argv[2:]
    for each in [file for file in RUN if not named or file.stem.startswith(tuple(named))]:
        update(each)
        print(f"updated {each.relative_to(ROOT)}")

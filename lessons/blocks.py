"""The fenced blocks of a lesson: reading them, running them, and what they quote.

Used by what draws the figures, writes the notebooks, updates the lessons and tests them.
"""

import ast
import io
import os
import re
import textwrap
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import torch

from .symbols import ROOT, definitions, read

LESSONS = ROOT / "lessons"
STRIPS = LESSONS / "page" / "parts"  # of the start page, made by lessons/parts.py
NUMBER = r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?"


@dataclass
class Fence:
    """A fenced block of a markdown file: its language, its lines, and the comment `<!-- note -->`
    right above it."""

    language: str
    code: str  # ends in a newline unless empty
    first: int  # index of its opening line ```language; the code begins on the next
    last: int  # index of its closing line ```
    note: str = ""


def fences(text: str) -> list[Fence]:
    """All fenced blocks of a markdown text, in order."""
    lines, found, i = text.splitlines(), [], 0
    while i < len(lines):
        if lines[i].startswith("```"):
            first, i = i, i + 1
            assert "```" in lines[i:], f"the fence of line {first + 1} has no end"
            i = lines.index("```", i)
            above = re.fullmatch(r"<!-- (.*) -->", lines[first - 1]) if first else None
            code = "".join(line + "\n" for line in lines[first + 1 : i])
            found.append(Fence(lines[first][3:], code, first, i, above[1] if above else ""))
        i += 1
    return found


def blocks(text: str) -> list[tuple[Fence, Fence | None]]:
    """The blocks to execute, each with the ```text fence of its output; None where it prints
    nothing."""
    found = fences(text)
    pairs = []
    for fence, after in zip(found, [*found[1:], None]):
        if fence.language == "python" and not fence.note.startswith("quote "):
            pairs.append((fence, after if after and after.language == "text" else None))
    return pairs


def run_blocks(lesson: Path, seed: int = 1) -> tuple[list[str], dict]:
    """Execute a lesson's blocks in the repository root; what each printed, and the namespace they
    leave.

    `seed` is torch's before the first block. A lesson seeds for itself, so it must not show in the
    output.
    """
    printed, ns = [], {"__name__": "lesson"}
    before = Path.cwd()
    torch.manual_seed(seed)
    os.chdir(ROOT)
    try:
        for fence, _ in blocks(lesson.read_text(encoding="utf-8")):
            blank = "\n" * (fence.first + 1)  # so that a traceback names the lesson's own lines
            code = compile(blank + fence.code, str(lesson), "exec")
            with redirect_stdout(io.StringIO()) as out:
                exec(code, ns)
            printed.append(out.getvalue())
    finally:
        os.chdir(before)
    return printed, ns


def lesson_files(numbers: list[str]) -> list[Path]:
    """The files of the lessons with these numbers; all of them if none is given."""
    return [
        file
        for file in sorted(LESSONS.glob("[0-9][0-9]*-*.md"))
        if not numbers or file.name.partition("-")[0] in numbers
    ]


def shown(text: str) -> set[str]:
    """The names of the pictures that the blocks of a lesson make with `show("07-fade", ...)`."""
    found = set()
    for block, _ in blocks(text):
        found |= set(re.findall(r'\bshow\(\s*"([\w-]+)"', block.code))
    return found


# ---- what they quote


def quotes(text: str) -> list[tuple[Fence, str, str]]:
    """Each quoting fence of a lesson, with the file and the symbol that it quotes."""
    noted = [fence for fence in fences(text) if fence.note.startswith("quote ")]
    return [(fence, *fence.note.split()[1:]) for fence in noted]


def source(file: str, symbol: str) -> str:
    """A symbol's source as lessons quote it: dedented, with decorators, without docstring."""
    first, last = definitions(file)[symbol]
    lines = textwrap.dedent("\n".join(read(file).splitlines()[first - 1 : last])).splitlines()
    (node,) = ast.parse("\n".join(lines)).body
    if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
        start, end = node.body[0].lineno - 1, node.body[0].end_lineno
        while end < len(lines) and not lines[end]:
            end += 1
        del lines[start:end]
    return "\n".join(lines) + "\n"


# ---- what they print


def same(shown: str, printed: str, note: str) -> bool:
    """Whether a block printed what the lesson shows: exactly, or with numbers as near as its note
    allows, `within 5 %` or `within 0.02`."""
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

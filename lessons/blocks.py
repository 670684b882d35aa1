"""The fenced blocks of a lesson, and running them.

Used by what draws the figures, writes the notebooks and tests the lessons.
"""

import io
import os
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
LESSONS = ROOT / "lessons"


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

"""Writes what is copied into the lessons anew: quotations, outputs, pictures, counts of lines.

    python -m lessons.update [03 04 ... questions porting]
    python -m lessons.update quotes     # all quotations and counts; no block is run
    git diff    # what it changed, to be read

A block that prints and has no ```text after it gets one.
"""

import re
import sys
from pathlib import Path

from PIL import Image

from tav.io.runs import RUNS

from .blocks import LESSONS, ROOT, blocks, lesson_files, quotes, run_blocks, shown, source
from .figures import FIGURES, save
from .symbols import find, read

PAGES = [LESSONS / "questions.md", LESSONS / "porting.md"]  # lessons in all but number and figure
# `tav/unet.py` (222 lines)
COUNTED = r"`([\w./-]+)`(?:\]\([^)]*\))? \(([\d,]+)(?=\slines\))"


def lines_of(name: str) -> int:
    return len(read(find(name)).splitlines())


def quote(lesson: Path) -> None:
    """Write a lesson's quotations and line counts as they now are."""
    text = re.sub(COUNTED, recount, read(lesson))
    changes = [(fence.first + 1, fence.last, source(*quoted)) for fence, *quoted in quotes(text)]
    lesson.write_text(replaced(text, changes), encoding="utf-8")


def run(lesson: Path) -> None:
    """Write what a lesson's blocks print and show now."""
    printed, _ = run_blocks(lesson)
    text, changes = read(lesson), []
    for (block, printed_before), out in zip(blocks(text), printed, strict=True):
        out = out if out.endswith("\n") or not out else out + "\n"
        if printed_before:
            changes.append((printed_before.first + 1, printed_before.last, out))
        elif out:
            changes.append((block.last + 1, block.last + 1, f"\n```text\n{out}```\n"))
    lesson.write_text(replaced(text, changes), encoding="utf-8")
    for name in shown(text):
        if f"(figures/{name}.png)" in text:
            save(Image.open(ROOT / RUNS / "shown" / f"{name}.png"), FIGURES / f"{name}.png")


def replaced(text: str, changes: list[tuple[int, int, str]]) -> str:
    """A text with other lines for its lines first ... last - 1."""
    lines = text.splitlines()
    for first, last, new in sorted(changes, reverse=True):
        lines[first:last] = new.splitlines()
    return "\n".join(lines) + "\n"


def recount(match: re.Match) -> str:
    return match[0].replace(f"({match[2]}", f"({lines_of(match[1]):,}")


def main() -> None:
    named = sys.argv[1:]
    for lesson in [*lesson_files([]), *PAGES]:
        if not named or named == ["quotes"] or lesson.stem.startswith(tuple(named)):
            quote(lesson)
            if named != ["quotes"]:
                run(lesson)
            print(f"updated {lesson.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

"""Counts the lessons: `python -m lessons.counts`.

A table with a row for each lesson: all its words (as `wc -w` counts them); outside of folds, words
of prose and lines to type (of all blocks, and of the longest); lines of code that it quotes. Then,
for each file of the core, the share of its lines of code that some lesson quotes; blank lines,
docstrings and imports are not counted.
"""

import ast
import re

from .blocks import Fence, blocks, fences, lesson_files, quotes
from .symbols import ROOT, definitions, read

FOLD = r"(?s)<details>.*?</details>"


def main() -> None:
    print(f"{'lesson':36}{'words':>8}{'prose':>8}{'typed':>8}{'longest':>8}{'quoted':>8}")
    total, quoted = [0] * 5, {}
    for lesson in lesson_files([]):
        text = read(lesson)
        read_by_all = re.sub(FOLD, "", text)
        typed = [lines_of(block) for block, _ in blocks(read_by_all)]
        quotations = quotes(text)
        for _, file, symbol in quotations:
            first, last = definitions(file)[symbol]
            quoted.setdefault(file, set()).update(range(first, last + 1))
        row = [len(text.split()), len(prose(read_by_all).split()), sum(typed)]
        row += [max(typed, default=0), sum(lines_of(fence) for fence, _, _ in quotations)]
        print(f"{lesson.stem:36}" + "".join(f"{n:8,}" for n in row))
        total = [a + b for a, b in zip(total, row)]
    total[3] = ""  # the longest blocks have no sum
    print(f"{'all':36}" + "".join(f"{n:8,}" if n != "" else " " * 8 for n in total))
    print(f"\n{'file':36}{'code':>8}{'quoted':>8}{'share':>8}")
    for file in sorted(file.relative_to(ROOT).as_posix() for file in ROOT.glob("tav/*.py")):
        code = lines_of_code(read(file))
        there = len(code & quoted.get(file, set()))
        print(f"{file:36}{len(code):8}{there:8}{there / max(1, len(code)):8.0%}")


def prose(text: str) -> str:
    """A markdown text with its fences and comments taken out."""
    lines = text.splitlines()
    for fence in reversed(fences(text)):
        del lines[fence.first : fence.last + 1]
    return re.sub(r"<!--.*?-->", "", "\n".join(lines), flags=re.DOTALL)


def lines_of(fence: Fence) -> int:
    """How many lines that are not blank a fence has."""
    return sum(bool(line.strip()) for line in fence.code.splitlines())


def lines_of_code(source: str) -> set[int]:
    """The numbers of the lines that are code: neither blank, nor docstring, nor import."""
    lines = {i for i, line in enumerate(source.splitlines(), 1) if line.strip()}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom) or (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return lines


if __name__ == "__main__":
    main()

"""Writes the lessons as notebooks: `python -m lessons.notebooks [DIR]`, by default `notebooks/`.

What a lesson runs becomes cells, which show what the lesson says they print until they are run
again. What it quotes stays text, as do commands of the shell. Pictures are inside, so a notebook
can be opened wherever Jupyter or an editor finds it; it works in this copy of the repository.
"""

import base64
import json
import os
import re
import sys
from pathlib import Path

from .blocks import LESSONS, ROOT, blocks

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
ANY_FENCE = r"(?ms)^```.*?^```$"


def notebook(lesson: Path, folder: Path) -> dict:
    """A lesson as the content of a notebook, in version 4.4 of the format."""
    start = f"import os\n\nos.chdir({str(ROOT)!r})  # lessons run in the repository's root"
    text = lesson.read_text(encoding="utf-8")
    lines, cells, done = text.splitlines(), [], 0
    for block, shown in blocks(text):
        cells.append(text_cell("\n".join(lines[done : block.first]), lesson, folder))
        cells.append(code_cell(block.code, shown.code if shown else ""))
        done = (shown or block).last + 1
    cells.append(text_cell("\n".join(lines[done:]), lesson, folder))
    cells.insert(1, code_cell(start))
    cells = [cell for cell in cells if cell["source"]]
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": KERNEL, "cells": cells}


def code_cell(code: str, printed: str = "") -> dict:
    outputs = [{"output_type": "stream", "name": "stdout", "text": printed}] if printed else []
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": outputs,
        "source": code.strip("\n"),
    }


def text_cell(text: str, lesson: Path, folder: Path) -> dict:
    """A piece of a lesson's text: with its pictures inside, and links that hold from a folder."""
    pictures = {}

    def put_in(match: re.Match) -> str:
        file = lesson.parent / match[2]
        kind = f"image/{file.suffix[1:]}"
        pictures[file.name] = {kind: base64.b64encode(file.read_bytes()).decode()}
        return f"![{match[1]}](attachment:{file.name})"

    def lead(match: re.Match) -> str:
        path, _, heading = match[1].partition("#")
        if re.match(r"\w+:", path) or not path:
            return match[0]
        if re.fullmatch(r"[\w-]+\.md", path):
            return f"]({path.removesuffix('.md')}.ipynb{heading and '#' + heading})"
        return f"]({Path(os.path.relpath(lesson.parent / path, folder)).as_posix()})"

    def prose(text: str) -> str:
        text = re.sub(r"<!-- quote (\S+) (\S+) -->", r"`\1`, `\2`:\n", text)
        text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
        parts = re.split(r"(`[^`\n]*`)", text)  # code may have brackets like a link's
        for i in range(0, len(parts), 2):
            parts[i] = re.sub(r"!\[([^\]]*)\]\(([^)]*)\)", put_in, parts[i])
            parts[i] = re.sub(r"\]\((?!attachment:)([^)\s]+)\)", lead, parts[i])
        return "".join(parts)

    fences = re.findall(ANY_FENCE, text)
    parts = [prose(part) for part in re.split(ANY_FENCE, text)]
    text = "".join(part + fence for part, fence in zip(parts, [*fences, ""])).strip()
    attachments = {"attachments": pictures} if pictures else {}
    return {"cell_type": "markdown", "metadata": {}, "source": text} | attachments


def main() -> None:
    folder = Path(sys.argv[1] if sys.argv[1:] else ROOT / "notebooks").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for lesson in sorted(LESSONS.glob("*.md")):
        content = json.dumps(notebook(lesson, folder), indent=1, ensure_ascii=False)
        (folder / f"{lesson.stem}.ipynb").write_text(content + "\n", encoding="utf-8")
    print(f"{folder}: open with Jupyter or an editor that knows notebooks")


if __name__ == "__main__":
    main()

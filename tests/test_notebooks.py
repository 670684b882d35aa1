"""The lessons as notebooks: they hold what the lessons hold, and run."""

import json
import re
from contextlib import chdir
from importlib.util import find_spec

import pytest
from test_lessons import RUN

from lessons import notebooks
from lessons.blocks import blocks, fences, lesson_files, same
from lessons.symbols import read


def test_a_notebook_runs_what_the_lesson_runs(tmp_path):
    for lesson in RUN:
        content = notebooks.notebook(lesson, tmp_path)
        code = [cell["source"] for cell in content["cells"] if cell["cell_type"] == "code"]
        text = "".join(c["source"] for c in content["cells"] if c["cell_type"] == "markdown")
        runs = [block for block, _ in blocks(read(lesson))]
        assert code[1:] == [block.code.strip("\n") for block in runs], lesson.name
        for fence in fences(read(lesson)):
            if fence.language == "python":
                quoted = fence.note.startswith("quote ")
                assert (fence.code in text) == quoted, f"{lesson.name}: {fence.first}"
        for cell in content["cells"]:
            for name in re.findall(r"\(attachment:([^)]*)\)", cell["source"]):
                assert name in cell["attachments"], lesson.name
        if find_spec("nbformat"):
            import nbformat

            nbformat.validate(nbformat.reads(json.dumps(content), 4))


@pytest.mark.slow
@pytest.mark.parametrize("number", ["01", "06"])
def test_a_notebook_runs_in_a_kernel(number, tmp_path):
    """From a folder of its own, with the outputs that the lesson shows."""
    client = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    (lesson,) = lesson_files([number])
    content = json.dumps(notebooks.notebook(lesson, tmp_path))
    notebook = nbformat.reads(content, 4)
    with chdir(tmp_path):
        client.NotebookClient(notebook, timeout=300).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"][1:]
    for cell, (block, shown) in zip(cells, blocks(read(lesson)), strict=True):
        printed = "".join(o.text for o in cell.outputs if o.get("name") == "stdout")
        assert same(shown.code if shown else "", printed, shown.note if shown else ""), block.first
        pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        assert len(pictures) == printed.count("shown in "), block.first

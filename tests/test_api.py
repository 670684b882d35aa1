"""The core stands alone; and the lines that the README shows for notebooks run as they stand there.

They run on the tiny model and for a few steps.
"""

import ast
import re
from pathlib import Path

import pytest
import tiny
import torch
from command import write_clip
from PIL import Image

import tav

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TINY = {
    "clip.mp4": "clip.gif",
    "frames=8": "frames=2",
    "steps=100": "steps=2",
    "steps=50": "steps=2",
}


def test_the_lines_in_the_readme_run(tmp_path, monkeypatch):
    write_clip(tmp_path / "clip.gif")
    tiny.folder(tmp_path / "weights" / "mini")
    monkeypatch.chdir(tmp_path)
    shown = README.read_text(encoding="utf-8").split("<!-- api -->")[1].split("<!-- /api -->")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```", shown, re.DOTALL | re.MULTILINE)
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 8
    for shown, small in TINY.items():
        assert code.count(shown) == 1, shown
        code = code.replace(shown, small)

    names: dict = {}
    exec(code, names)
    assert len(names["losses"]) == 2
    assert names["video"].shape == names["frames"].shape == (2, 3, 16, 16)
    assert not torch.equal(names["video"], names["frames"])
    video, fps = tav.read_clip(tmp_path / "panda.gif")
    assert video.shape == names["video"].shape and abs(fps - names["fps"]) < 0.1
    assert Image.open(tmp_path / "panda.png").width > 2 * 160


CORE = sorted(set((ROOT / "tav").glob("*.py")) - {ROOT / "tav" / "__init__.py"})


@pytest.mark.parametrize("file", CORE, ids=lambda path: path.stem)
def test_the_core_knows_neither_the_machinery_nor_the_command_line(file):
    text = file.read_text(encoding="utf-8")
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    # `from .io.files import ...`
    own = [(node.module or "").split(".")[0] for node in nodes if node.level]
    assert "io" not in own and "tav" not in [node.module for node in nodes]
    assert not re.findall(r"--[a-z]+", text)

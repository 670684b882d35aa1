"""The core stands alone; the lines that the README shows for notebooks run as they stand there, on
the tiny model and for a few steps; and the defaults of `tav.tune` and `tav.edit`."""

import ast
import re
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from command import write_clip
from PIL import Image

import tav
import tav.api
from tav.model import PUBLISHED
from tav.sampling import invert
from tav.tuning import encode_clip

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


# But for the two that join both for users.
CORE = sorted(
    set((ROOT / "tav").glob("*.py")) - {ROOT / "tav" / n for n in ("__init__.py", "api.py")}
)


@pytest.mark.parametrize("file", CORE, ids=lambda path: path.stem)
def test_the_core_knows_neither_the_machinery_nor_the_command_line(file):
    text = file.read_text(encoding="utf-8")
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    # `from .io.files import ...`
    own = [(node.module or "").split(".")[0] for node in nodes if node.level]
    assert "io" not in own and "tav" not in [node.module for node in nodes]
    assert not re.findall(r"--[a-z]+", text)


# ---- tav.tune and tav.edit

FRAMES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    model = tav.load(tiny.folder(tmp_path_factory.mktemp("weights")))
    return replace(model, unet=tav.inflate(model.unet).requires_grad_(False))


def of(base, **recipe):
    """The model with a recipe for sampling."""
    return replace(base, defaults={"sample": {"steps": 3, "guidance": 2.0} | recipe})


def test_tune_defaults_to_the_recipe_of_the_weights(base):
    model = replace(base, unet=deepcopy(base.unet), defaults={"tune": {"steps": 7}})
    assert len(tav.tune(model, FRAMES, "a man", lr=0)) == 7


def test_edit_defaults_to_the_recipe_of_the_weights(base):
    assert base.recipe("sample") == PUBLISHED["sample"] | {"size": base.size}
    assert base.recipe("sample") == {"steps": 50, "guidance": 12.5, "size": base.size}
    model = of(base)
    video = tav.edit(model, FRAMES, "a panda")
    assert video.shape == FRAMES.shape and video.abs().max() <= 1
    assert torch.equal(video, tav.edit(base, FRAMES, "a panda", steps=3, guidance=2.0))
    for other in (
        {"prompt": "a dog"},
        {"negative": "snow"},
        {"steps": 4},
        {"guidance": 3.0},
        {"guidance": 0},
    ):
        changed = tav.edit(model, FRAMES, **({"prompt": "a panda"} | other))
        assert not torch.equal(video, changed), other
    # As published, the clip is inverted with no words, whether its caption is known or not.
    assert torch.equal(video, tav.edit(model, FRAMES, "a panda", caption="a man"))


def test_edit_is_the_published_one_unless_it_is_asked_to_go_by_difference(base):
    asked = {"prompt": "a panda", "caption": "a man"}
    with pytest.raises(ValueError, match="caption"):
        tav.edit(of(base), FRAMES, "a panda", difference=True)
    video = tav.edit(of(base), FRAMES, **asked, difference=True)
    inverted = tav.edit(of(base), FRAMES, **asked)
    assert torch.equal(inverted, tav.edit(of(base, difference=True), FRAMES, **asked))
    assert not torch.equal(video, inverted)
    assert not torch.equal(video, tav.edit(of(base), FRAMES, **asked, difference=True, seed=1))
    asked["caption"] = "a dog"
    assert not torch.equal(video, tav.edit(of(base), FRAMES, **asked, difference=True))


def test_what_is_known_already_is_not_computed_again(base, monkeypatch):
    """The clip's latents and the noise of its inversion may be given."""
    model, latents = of(base), encode_clip(base, FRAMES)
    video = tav.edit(model, FRAMES, "a panda")
    noise = invert(model, latents.mean, 3)
    for name in ("encode_clip", "invert"):
        monkeypatch.setattr(tav.api, name, None)
    assert torch.equal(video, tav.edit(model, FRAMES, "a panda", latents=latents, noise=noise))


def test_progress_is_told_what_is_done(base):
    said = []

    def progress(loop, desc):
        said.append(desc)
        return loop

    tav.edit(of(base), FRAMES, "a panda", progress=progress)
    model = replace(base, unet=deepcopy(base.unet))
    tav.tune(model, FRAMES, "a man", steps=1, progress=progress)
    assert said == ["inverting", "a panda", "decoding", "tuning"]

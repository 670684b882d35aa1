"""The benchmark's clips, and the right answers to every edit of them: both are drawn.

clips.md lists them. What a caption leaves unsaid of a clip, its random number decides, and an edit
keeps it. What neither the clip shows nor the prompt says is open: how a woman is dressed who takes
a panda's place, or where the palms of a new beach stand. There, any answer is right if it is the
same one in all frames; `Clip.ideals` are some of them.
"""

import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tav.model import Unsuitable
from tav.vae import from_bytes

from ..make.world import scenes
from ..make.world.captions import caption
from ..make.world.motions import clip as filmed
from ..make.world.motions import random_looks
from ..make.world.scenes import Looks, Scene, edit
from ..make.world.styles import draw

REPORT = range(24, 36)
ANSWERS = 12  # drawn where there are many right ones
FIELDS = {  # of a scene, that an edit may change
    "subject": scenes.SUBJECTS,
    "background": scenes.BACKGROUNDS,
    "attribute": scenes.ATTRIBUTES,
    "style": scenes.STYLES,
}

EDITS = ("subject", "open", "background", "attribute", "style", "two")


@dataclass(frozen=True)
class Clip:
    """A source clip as scenes, one a frame, and the scenes of its edits by name."""

    number: int
    source: list[Scene]
    edits: dict[str, list[Scene]]

    @property
    def caption(self) -> str:
        return caption(self.source[0])

    def prompt(self, name: str) -> str:
        """The prompt of the edit of that name."""
        return caption(self.edits[name][0])

    def ideals(self, name: str) -> list[list[Scene]]:
        """Right answers to the edit of that name: `edits[name]`, with what is open filled in."""
        before, after = self.source[0], self.edits[name][0]
        places, looks = [after.seed], [after.looks]
        if after.background != before.background:
            places += range(1000, 1000 + ANSWERS - 1)
        if after.subject != before.subject:
            looks = open_looks(after)
        return [
            [replace(scene, seed=place, looks=worn) for scene in self.edits[name]]
            for place in places
            for worn in looks
        ]


def open_looks(scene: Scene) -> list[Looks]:
    """Looks that a new subject may have, if nobody says which; its skis or board stay."""
    if scene.subject in scenes.ANIMALS:
        return [replace(scene.looks, fur=fur) for fur in range(scenes.FURS - 1)]
    if scene.subject in scenes.FOLK:
        rng = random.Random(scene.subject)
        return [replace(random_looks(rng), gear=scene.looks.gear) for _ in range(ANSWERS)]
    return [scene.looks]  # costumes are fixed, and of a car the clip shows the paint


def plans() -> dict[int, list[str]]:
    """The table of clips.md: by a clip's number its other cells."""
    lines = (Path(__file__).parent / "clips.md").read_text(encoding="utf-8").splitlines()
    _, _, *rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return {int(number): [cell.strip() for cell in cells] for number, *cells in rows}


def make_clip(number: int, frames: int) -> Clip:
    """Clip `number` with that many frames. Unsuitable if there is none."""
    if number not in plans():
        raise Unsuitable(f"there is no clip {number}; take some of 0-5,24-35")
    kind, subject, action, background, food, move, *asked = plans()[number]
    rng = random.Random(f"benchmark/{number}")
    seen = Scene(subject, action, food=food, background=background, seed=number)
    wanted = kind == "new looks"
    costumed = subject not in scenes.ANIMALS + scenes.FOLK + scenes.VEHICLES  # looks are fixed
    while True:
        seen = replace(seen, looks=random_looks(rng, all_of_them=wanted))
        if costumed or scenes.new_looks(seen) == wanted:
            break
    source = filmed(seen, frames, rng, move)
    edits = {}
    for name, words in zip(EDITS, asked, strict=True):
        if words:
            changes = {k: w for w in words.split(", ") for k, known in FIELDS.items() if w in known}
            edits[name] = edit(source, **changes)
    return Clip(number, source, edits)


def drawn(film: list[Scene], size: int) -> Tensor:
    """Scenes as frames (f, 3, H, W) in [-1, 1]."""
    pixels = np.stack([np.asarray(draw(scene, size)) for scene in film])
    return from_bytes(torch.from_numpy(pixels).permute(0, 3, 1, 2))

"""The benchmark's clips, and the ideal result of every edit of them: both are drawn.

Clips 0 to 5 are there to choose settings with, 12 to 23 to report on: four with looks and motions
as in training, four with looks that training never showed, four with such motions. (6 to 11 belong
to the drawn world of before, and are spent.) What a caption leaves unsaid of a clip, its random
number decides, and an ideal edit keeps it. What neither the clip shows nor the prompt says, such as
where the palms of a new beach stand, is left open: `Clip.ideals` are all the answers that count.
"""

import random
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tav.vae import from_bytes

from ..make.world.captions import caption
from ..make.world.motions import clip as filmed
from ..make.world.motions import random_looks
from ..make.world.scenes import ANIMALS, FOLK, FURS, Scene, edit, new_looks, new_words
from ..make.world.styles import draw

TRAINED, LOOKS, MOTION = "as trained", "new looks", "new motion"
SETTINGS, REPORT = range(0, 6), range(12, 24)
ARRANGEMENTS = 12  # of a new place


@dataclass(frozen=True)
class Plan:
    """A clip, and what is asked for in its edits; "" where an edit makes no sense."""

    kind: str
    subject: str
    action: str
    background: str
    edits: dict[str, dict[str, str]]
    food: str = ""
    move: str = ""


# A clip: number; kind; subject; action; food; background; move. Below it what its edits ask for:
# subject; background; attribute; style; colour; two at once. "-" where there is none.
TABLE = """
0; as trained; man; skiing; -; plain; -
    spider man; beach; cowboy hat; cartoon; red; subject=robot, background=grass
1; as trained; cat; eating; watermelon; plain; -
    tiger; grass; birthday hat; watercolor; -; attribute=sunglasses, style=cartoon
2; new looks; woman; surfing; -; plain; -
    panda; sunset; sunglasses; pixel art; green; attribute=cowboy hat, style=sketch
3; new looks; raccoon; skiing; -; snow; -
    astronaut; desert; pink clothes; cartoon; -; subject=rabbit, background=city
4; new motion; boy; skiing; -; snow; long jump
    iron man; city; sunglasses; comic; yellow; subject=puppy, background=beach
5; new motion; jeep; moving; -; plain; long jump
    sports car; sunset; -; cartoon; blue; background=desert, style=cartoon
12; as trained; man; skiing; -; plain; -
    wonder woman; grass; cowboy hat; watercolor; purple; subject=panda, background=desert
13; as trained; woman; surfing; -; beach; -
    mickey mouse; city; sunglasses; cartoon; orange; attribute=birthday hat, style=comic
14; as trained; rabbit; eating; orange; plain; -
    puppy; beach; cowboy hat; comic; -; attribute=sunglasses, style=watercolor
15; as trained; sports car; moving; -; city; -
    jeep; sunset; -; comic; green; background=snow, style=cartoon
16; new looks; man; skiing; -; snow; -
    spider man; beach; sunglasses; cartoon; black; subject=astronaut, background=night
17; new looks; boy; surfing; -; beach; -
    robot; night; cowboy hat; sketch; red; attribute=sunglasses, style=watercolor
18; new looks; tiger; skiing; -; plain; -
    wonder woman; city; birthday hat; comic; -; subject=raccoon, background=grass
19; new looks; woman; skiing; -; city; -
    iron man; desert; pink clothes; pixel art; white; attribute=cowboy hat, style=cartoon
20; new motion; man; skiing; -; plain; backflip
    spider man; grass; birthday hat; cartoon; blue; subject=cat, background=snow
21; new motion; woman; surfing; -; beach; long jump
    astronaut; night; sunglasses; comic; yellow; attribute=cowboy hat, style=watercolor
22; new motion; panda; skiing; -; snow; cartwheel
    robot; city; sunglasses; watercolor; -; subject=rabbit, background=desert
23; new motion; jeep; moving; -; beach; long jump
    sports car; grass; -; pixel art; orange; background=snow, style=comic
"""
ONE_EACH = ("subject", "background", "attribute", "style", "color")


def read_plan(clip: str, asked: str) -> tuple[int, Plan]:
    """Two rows of the table as the number of a clip and its plan."""
    cells = ["" if cell == "-" else cell for cell in f"{clip}; {asked.strip()}".split("; ")]
    number, kind, subject, action, food, background, move, *changes, two = cells
    edits = {name: {name: value} for name, value in zip(ONE_EACH, changes, strict=True) if value}
    edits["two"] = dict(change.split("=") for change in two.split(", "))
    return int(number), Plan(kind, subject, action, background, edits, food, move)


ROWS = TABLE.strip().splitlines()
PLANS = dict(read_plan(*rows) for rows in zip(ROWS[::2], ROWS[1::2], strict=True))


@dataclass(frozen=True)
class Clip:
    """A source clip as scenes, one a frame, and the scenes of its ideal edits by name."""

    number: int
    kind: str
    source: list[Scene]
    edits: dict[str, list[Scene]]

    @property
    def caption(self) -> str:
        return caption(self.source[0])

    def prompt(self, name: str) -> str:
        """The prompt of the edit of that name."""
        return caption(self.edits[name][0])

    def ideals(self, name: str) -> list[list[Scene]]:
        """The ideal edits of that name. Each is `edits[name]`, but for what nobody could know.

        There are several where the clip does not show what the prompt asks for: of a new place any
        arrangement is right (so many of them are drawn), of a new animal any fur of training's.
        """
        before, after = self.source[0], self.edits[name][0]
        seeds, furs = [after.seed], [after.looks.fur]
        if after.background != before.background:
            seeds += range(1000, 1000 + ARRANGEMENTS - 1)
        if after.subject != before.subject and after.subject in ANIMALS:
            furs = range(FURS - 1)
        return [
            [replace(s, seed=seed, looks=replace(s.looks, fur=fur)) for s in self.edits[name]]
            for seed in seeds
            for fur in furs
        ]


def make_clip(number: int, frames: int) -> Clip:
    """Clip `number` with that many frames. ValueError if its plan breaks its promise."""
    if number not in PLANS:
        raise ValueError(f"there is no clip {number}; there are {sorted(PLANS)}")
    planned, rng = PLANS[number], random.Random(f"benchmark/{number}")
    scene = Scene(planned.subject, planned.action, food=planned.food, background=planned.background)
    for _ in range(10_000):
        seen = replace(scene, looks=random_looks(rng, planned.kind == LOOKS), seed=number)
        asked = planned.edits.get("color", {}).get("color")
        if new_looks(seen) == (planned.kind == LOOKS) and seen.dye != asked:
            break
    else:
        raise ValueError(f"clip {number}: no looks of the kind {planned.kind!r}")
    source = filmed(seen, frames, rng, planned.move)
    edits = {name: edit(source, **changes) for name, changes in planned.edits.items()}
    for name, scenes in edits.items():
        if scenes[0].subject != seen.subject and scenes[0].subject in FOLK:
            raise ValueError(f"clip {number}, {name}: nobody says what that person looks like")
    if any(new_words(scenes[0]) for scenes in [source, *edits.values()]):
        raise ValueError(f"clip {number} asks for a combination of words held out of training")
    return Clip(number, planned.kind, source, edits)


def drawn(scenes: list[Scene], size: int) -> Tensor:
    """Scenes as frames (f, 3, H, W) in [-1, 1]."""
    pixels = np.stack([np.asarray(draw(scene, size)) for scene in scenes])
    return from_bytes(torch.from_numpy(pixels).permute(0, 3, 1, 2))

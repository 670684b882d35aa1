"""Drawings for the networks that measure, of what the miniature's training never shows as well.

The judge and the pose network have to read clips whose looks and moves are held out of training, so
they are shown such drawings: every fourth is a moment of a held-out move. The judge also has to see
that nobody is there, as in a failed sample: it is shown drawings whose actor is away or damaged.

Shapes: n drawings, b of them, H W pixels (128).
"""

import random
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import Pool

import numpy as np
import torch
from torch import Tensor

from tav.vae import from_bytes

from .miniature import SIZE
from .world.backdrops import WALLS, fir, palm, tree
from .world.captions import pick
from .world.motions import clip, random_scene, span
from .world.pen import Point
from .world.scenes import MOVES, Scene
from .world.skeletons import joints
from .world.styles import Layer, actors, draw, layer

DRAWINGS, KEPT = 24_000, 1_500  # to train on; to measure the error on
NOBODY = "nobody"  # a subject; who acts in no way and wears nothing
LOST = dict.fromkeys(("subject", "action", "attribute"), NOBODY)
THINGS = (  # what may stand in front of an actor, about a unit tall
    fir,
    palm,
    tree,
    lambda pen: pen.oval(0, -0.5, 0.5, 0.5, (255, 228, 70)),  # the sun
    lambda pen: pen.box(-0.5, -1.2, 0.5, 0, WALLS[pen.scene.seed % len(WALLS)]),  # a house
)
PLACES = (np.mgrid[:SIZE, :SIZE][::-1, ..., None] + 0.5) / SIZE  # x and y of pixels (2, H, W, 1)
Drawn = tuple[Scene, np.ndarray]  # pixels (H, W, 3) of bytes


def random_moment(index: int) -> Scene:
    """Scene `index`: any looks and any combination of words, and one in four in a held-out move."""
    rng = random.Random(f"pose/{index}")
    scene = random_scene(rng, allow_held_out=True)
    moves = MOVES[scene.action]
    if index % 4 or not moves:
        return scene
    film = clip(scene, 24, rng, moves[int(rng.random() * len(moves))])
    return film[int(rng.random() * len(film))]


def moment(index: int) -> Drawn:
    """Scene `index` as it is."""
    scene = random_moment(index)
    return scene, np.asarray(draw(scene))


def damaged(index: int) -> Drawn:
    """Scene `index`; in one of three the actor is away, has a hole, or stands behind something.

    Then hardly anything is left of it or of its head, and the scene is told as NOBODY's; or nearly
    all of it can be seen.
    """
    if index % 3:
        return moment(index)
    scene, rng = random_moment(index), random.Random(f"damage/{index}")
    if rng.random() < 0.3:  # out of the frame, with its shadow and its plate
        away = replace(scene, pose=replace(scene.pose, x=9.0))
        return replace(away, food="", **LOST), np.asarray(draw(away))
    points, lost = joints(scene), rng.random() < 0.5
    middle, reach = points.get("head") or points["centre"], 1 if "head" in points else 9  # of a car
    far = np.hypot(PLACES[0] - middle[0], PLACES[1] - middle[1]) / reach
    (color, cover), *food = actors(scene, SIZE)
    table = 0.5 + 0.265 * scene.camera.zoom if food else 1.0  # its edge; the table stays
    actor = cover * (PLACES[1] < table)
    while True:
        hole, front = damage(scene, pick(rng, [*points.values(), *[middle] * 6]), rng)
        left = 1 - hole * (actor > 0)
        seen = actor * left * np.prod([1 - c for _, c in front], axis=0)
        parts = (far < 0.14, far < 0.32, far < 2)
        head, about, body = (seen[part].sum() / actor[part].sum() for part in parts)
        if min(head, body) < 0.33 if lost else about > 0.9 and body > 0.75:
            pixels = np.asarray(draw(scene, SIZE, [(color * left, cover * left), *front, *food]))
            return replace(scene, **LOST) if lost else scene, pixels


def damage(scene: Scene, at: Point, rng) -> tuple[np.ndarray, list[Layer]]:
    """A hole about a place (H, W, 1), 0 .. 1, and what stands in front of it: one or both."""
    x, y = (share + span(rng, -0.08, 0.08) for share in at)
    how, zoom = pick(rng, ("hole", "thing", "both")), scene.camera.zoom
    wide, tall, unit = span(rng, 0.08, 0.6), span(rng, 0.08, 0.6), span(rng, 0.25, 0.8)
    far = np.hypot((PLACES[0] - x) / wide, (PLACES[1] - y) / tall)
    hole = np.clip(5.5 - 5 * far, 0, 1, dtype=np.float32) * (how != "thing")
    if how == "hole":
        return hole, []
    foot = 0.5 + (x - 0.5) / zoom, 0.5 + (y + 0.5 * unit - 0.5) / zoom
    thing = pick(rng, THINGS)
    return hole, [layer(scene, SIZE, ("ground", lambda pen: thing(pen.at(foot, unit))))]


def moments(make: Callable[[int], Drawn] = moment) -> tuple[list[Scene], Tensor]:
    """All scenes that are made so, and their pixels, uint8 (n, H, W, 3)."""
    with Pool(2) as pool:
        made = pool.map(make, range(DRAWINGS + KEPT), chunksize=50)
    return [scene for scene, _ in made], torch.from_numpy(np.stack([pixels for _, pixels in made]))


def as_frames(pixels: Tensor) -> Tensor:
    """Bytes (b, H, W, 3) as frames (b, 3, H, W) in [-1, 1]."""
    return from_bytes(pixels.permute(0, 3, 1, 2))

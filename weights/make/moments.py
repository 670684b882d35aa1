"""Drawings for the networks that measure, of what the miniature's training never shows as well.

The judge and the pose network have to read clips whose looks and moves are held out of training, so
they are shown such drawings: every fourth is a moment of a held-out move.
"""

import random

import numpy as np
import torch
from torch import Tensor

from tav.vae import from_bytes

from .world.motions import clip, random_scene
from .world.scenes import MOVES, Scene
from .world.styles import draw

DRAWINGS, KEPT = 16_000, 600  # to train on; to measure the error on


def random_moment(index: int) -> Scene:
    """Scene `index`: any looks and any combination of words, and one in four in a held-out move."""
    rng = random.Random(f"pose/{index}")
    scene = random_scene(rng, allow_held_out=True)
    moves = MOVES[scene.action]
    if index % 4 or not moves:
        return scene
    film = clip(scene, 24, rng, moves[int(rng.random() * len(moves))])
    return film[int(rng.random() * len(film))]


def moments() -> tuple[list[Scene], Tensor]:
    """All these scenes, and their pixels, uint8 (n, H, W, 3)."""
    scenes = [random_moment(i) for i in range(DRAWINGS + KEPT)]
    return scenes, torch.from_numpy(np.stack([np.asarray(draw(scene)) for scene in scenes]))


def as_frames(pixels: Tensor) -> Tensor:
    """Bytes (b, H, W, 3) as frames (b, 3, H, W) in [-1, 1]."""
    return from_bytes(pixels.permute(0, 3, 1, 2))

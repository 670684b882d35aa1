"""The judge, on drawings that it never saw: is it right, and does it see when nobody is there?"""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from weights.make.judge import QUESTIONS, answers_of, load_judge
from weights.make.moments import LOST, NOBODY, as_frames, damaged, moment
from weights.make.world.backdrops import fir, palm, tree
from weights.make.world.motions import random_scene
from weights.make.world.scenes import NAMES
from weights.make.world.skeletons import joints
from weights.make.world.styles import actors, draw, layer

FRESH = 3_000_000  # training draws nothing of such a number
# How often the judge before, which knew no nobody, was right about the 400 drawings below
BEFORE = dict.fromkeys(QUESTIONS, 1.0) | {"subject": 0.982, "attribute": 0.992, "dye": 0.992}


@pytest.fixture(scope="module")
def judge():
    return load_judge()


def answers(judge, pictures: list) -> list[dict[str, str]]:
    frames = as_frames(torch.from_numpy(np.stack(list(map(np.asarray, pictures)))))
    return [answer for part in frames.split(50) for answer in judge.answers(part)]


def test_it_is_right_as_often_as_before_and_sees_nobody_nowhere(judge):
    """Where there is an actor, in a moment of a held-out move in one of four."""
    scenes, pictures = zip(*map(moment, range(FRESH, FRESH + 400)), strict=True)
    found = answers(judge, pictures)
    for question, before in BEFORE.items():
        right = [a[question] == answers_of(s)[question] for a, s in zip(found, scenes, strict=True)]
        assert sum(right) / 400 >= before - 0.01, question
    assert sum(answer["subject"] == NOBODY for answer in found) <= 4


def test_it_sees_that_nobody_is_there(judge):
    rng = random.Random(0)
    scenes = [random_scene(rng, allow_held_out=True) for _ in range(150)]
    away = [draw(replace(scene, pose=replace(scene.pose, x=9.0))) for scene in scenes]
    found = answers(judge, away)
    assert sum(LOST.items() <= answer.items() for answer in found) >= 147


def test_what_is_left_of_an_actor_decides(judge):
    """Without a head there is nobody; beside a tree or with a small hole there is somebody."""
    scenes, pictures = zip(*map(damaged, range(FRESH, FRESH + 360, 3)), strict=True)
    found = answers(judge, pictures)
    for lost in (True, False):
        right = [
            (answer["subject"] == NOBODY) == lost
            for answer, scene in zip(found, scenes, strict=True)
            if (scene.subject == NOBODY) == lost
        ]
        assert len(right) > 30 and sum(right) / len(right) >= 0.95, lost


def test_a_tree_in_the_place_of_mickey_mouse_or_a_sun_for_a_head_is_nobody(judge):
    rng, pictures = random.Random(0), []
    for name in NAMES * 10:
        scene = random_scene(rng, allow_held_out=True, subject=name)
        x, y = joints(scene)["head"]
        thing = (fir, palm, tree)[len(pictures) % 3]
        trees = layer(scene, 128, ("ground", lambda pen: thing(pen.at((x, 0.9), 0.6))))
        sun = layer(scene, 128, ("ground", lambda pen: pen.oval(x, y, 0.17, 0.17, (255, 228, 70))))
        pictures += [draw(scene, 128, [trees]), draw(scene, 128, [*actors(scene, 128), sun])]
    found = [answer["subject"] for answer in answers(judge, pictures)]
    assert found.count(NOBODY) >= 0.95 * len(found)

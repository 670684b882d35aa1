"""The drawn world: what training never shows, captions that can be read back, edits that change
what they say.
"""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from weights.make.world import motions, scenes, skeletons
from weights.make.world.captions import caption, parse
from weights.make.world.scenes import Looks, Scene
from weights.make.world.styles import draw, figure_mask, jacket_mask

FOLDER = Path(scenes.__file__).parent


def pixels(scene: Scene) -> np.ndarray:
    return np.asarray(draw(scene), np.float32)


def test_training_never_shows_what_is_held_out():
    rng = random.Random(0)
    for _ in range(3000):
        scene = motions.random_scene(rng)
        pose, looks = scene.pose, scene.looks
        assert abs(pose.turn) <= scenes.TILTED
        assert looks.pattern != "halves" or scene.subject not in scenes.FOLK
        assert looks.fur < scenes.FURS - 1
        assert not scenes.held_out(scene)


def test_training_shows_figures_in_the_air_tilted_and_with_limbs_wide():
    rng = random.Random(0)
    poses = [motions.random_pose(action, rng) for action in ("skiing", "surfing") * 500]
    for name, least in (("lift", 0.12), ("turn", 0.4), ("spread", 0.9)):
        sizes = [abs(getattr(pose, name)) for pose in poses]
        assert sum(size > 0 for size in sizes) > 100 and max(sizes) > least, name


def test_each_kind_of_held_out_scene_is_recognised():
    assert not scenes.held_out(Scene(subject="man", looks=Looks(jacket="blue", trousers="brown")))
    assert scenes.new_looks(Scene(looks=Looks(pattern="halves")))
    assert scenes.new_looks(Scene(subject="tiger", looks=Looks(fur=scenes.FURS - 1)))
    for action, moves in scenes.MOVES.items():
        subject = scenes.DOERS[action][0]
        for move in moves:
            film = motions.clip(Scene(subject=subject, action=action), 16, move=move)
            new = [scenes.new_motion(scene) for scene in film]
            assert not new[0] and not new[-1], (action, move)
            assert sum(new) >= 4 if move in scenes.WHOLE_TURNS else not any(new), (action, move)
        plain = motions.clip(Scene(subject=subject, action=action), 16)
        assert not any(scenes.new_motion(scene) for scene in plain)


@pytest.mark.parametrize("first", scenes.FOLK)
def test_a_share_of_clothes_is_held_out_but_every_dye_is_trained_on(first):
    pairs = [(a, b) for a in scenes.DYES for b in scenes.TROUSERS]
    new = {
        p for p in pairs if scenes.new_looks(Scene(first, looks=Looks(jacket=p[0], trousers=p[1])))
    }
    assert 0.08 < len(new) / len(pairs) < 0.25
    known = set(pairs) - new
    assert {a for a, _ in known} == set(scenes.DYES) and {b for _, b in known} == set(
        scenes.TROUSERS
    )


def test_captions_are_read_back_in_every_wording():
    rng = random.Random(1)
    for _ in range(1500):
        scene = motions.random_scene(rng, allow_held_out=True)
        for words in (caption(scene), caption(scene, rng)):
            assert {key: getattr(scene, key) for key in parse(words)} == parse(words), words


@pytest.mark.parametrize(
    "words",
    [
        "",
        "a man is flying",
        "a red man is skiing",
        "a jeep in a red jacket is moving on the road",
        "a man is skiing on the road",
        "a man in a red jacket, wearing pink clothes, is skiing",
        "a cartoon of a man is skiing, sketch style",
        "spider man in a red jacket is skiing",
    ],
)
def test_what_is_no_caption_is_refused(words):
    with pytest.raises(ValueError):
        parse(words)


def test_looks_change_the_picture_and_not_the_words():
    one = Scene(looks=Looks(jacket="red", hair="blond"))
    other = Scene(looks=Looks(jacket="green", hair="black"))
    assert caption(one) == caption(other)
    assert np.abs(pixels(one) - pixels(other)).max() > 100


def test_heroes_keep_their_costume_and_drive_what_looks_say():
    for hero in scenes.NAMES:
        one, other = (
            Scene(hero, looks=Looks(jacket=dye, hair="black")) for dye in ("red", "green")
        )
        assert np.array_equal(pixels(one), pixels(other))
    one, other = (Scene("jeep", "moving", looks=Looks(paint=dye)) for dye in ("red", "green"))
    assert not np.array_equal(pixels(one), pixels(other))


def test_a_named_colour_is_the_jackets():
    named = Scene(color="green", looks=Looks(jacket="red"))
    assert np.array_equal(pixels(named), pixels(Scene(looks=Looks(jacket="green"))))
    assert caption(named) == "a man in a green jacket is skiing"


def test_masks_are_where_the_figure_and_its_jacket_are():
    scene = Scene(looks=Looks(jacket="green"))
    red = replace(scene, looks=Looks(jacket="red"))
    changed = np.abs(pixels(scene) - pixels(red)).sum(axis=2) > 40
    jacket, figure = jacket_mask(scene), figure_mask(scene) > 0.5
    assert 0.03 < jacket.mean() < 0.3 < 3 * figure.mean()
    assert (changed & ~jacket).sum() < 0.1 * jacket.sum() and (
        jacket & ~figure
    ).sum() < 0.1 * jacket.sum()
    assert not jacket_mask(Scene("spider man")).any()
    assert not jacket_mask(replace(scene, attribute="pink clothes")).any()
    assert jacket_mask(Scene("jeep", "moving")).mean() > 0.03


def test_an_edit_keeps_motion_looks_and_backdrop():
    film = motions.clip(Scene(looks=Looks(jacket="teal"), seed=5), 4)
    hats = scenes.edit(film, attribute="cowboy hat")
    for before, after in zip(film, hats, strict=True):
        assert after.pose == before.pose and after.looks == before.looks
        below = slice(80, None)  # a hat changes nothing down there
        assert np.array_equal(pixels(before)[below], pixels(after)[below])
    with pytest.raises(ValueError, match="jeep"):
        scenes.edit(film, subject="jeep")


@pytest.mark.parametrize("move", ["", "backflip", "cartwheel", "long jump"])
def test_joints_stay_in_the_frame_and_move_smoothly(move):
    film = motions.clip(Scene(), 48, move=move)
    points = np.array([list(skeletons.joints(scene).values()) for scene in film])
    assert points.min() > -0.05 and points.max() < 1.05
    assert np.abs(np.diff(points, axis=0)).max() < 0.2


def test_a_drawing_is_the_same_every_time():
    scene = motions.random_scene(random.Random(4))
    assert np.array_equal(pixels(scene), pixels(scene))
    assert motions.random_scene(random.Random(4)) == scene


def test_files_stay_short_enough_to_read():
    for file in FOLDER.glob("*.py"):
        assert len(file.read_text().splitlines()) <= 450, file

"""The drawn world: small pictures, and the captions that go with them, made by rule.

Every picture is described by a `Scene` (who, does what, where, in which style, in which pose, seen by
which camera) and drawn by `draw`.  Pose and camera are plain numbers, so a short film is a list of
scenes (`clip`), and the same film with another hero is the same list with one field replaced (`edit`).

Coordinates are shares of the frame: (0, 0) is the top left corner, (1, 1) the bottom right one.
Random generators may be `random.Random` or a numpy `Generator`: only their `.random()` is used.
"""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import ceil, cos, floor, hypot, pi, sin, sqrt
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

PEOPLE = (
    "man",
    "woman",
    "boy",
    "spider man",
    "wonder woman",
    "iron man",
    "mickey mouse",
    "robot",
    "astronaut",
)
ANIMALS = ("panda", "raccoon", "rabbit", "tiger", "puppy", "cat")
VEHICLES = ("jeep", "sports car")
EATERS = ("rabbit", "cat", "puppy", "tiger")
SUBJECTS = PEOPLE + ANIMALS + VEHICLES
ACTIONS = ("skiing", "surfing", "moving", "eating")
FOODS = ("watermelon", "orange", "pizza")
BACKGROUNDS = ("plain", "snow", "beach", "desert", "grass", "city", "sunset", "night")
ATTRIBUTES = ("none", "cowboy hat", "birthday hat", "sunglasses", "pink clothes")
STYLES = ("plain", "cartoon", "comic", "sketch", "watercolor", "pixel art")
DOERS = {"skiing": PEOPLE + ANIMALS, "surfing": PEOPLE + ANIMALS, "moving": VEHICLES, "eating": EATERS}

SUPER = 3  # pictures are drawn this many times too large, then averaged down
HEIGHT = 0.64  # height of a standing figure of scale 1, as a share of the frame
Color = tuple[int, int, int]
Point = tuple[float, float]


# ---------------------------------------------------------------------------------------------- scenes


@dataclass(frozen=True)
class Pose:
    """Where the subject is and how it holds itself.  Lengths are shares of the frame."""

    x: float = 0.5  # hip of a figure, centre of a vehicle's body, chest of an eater
    y: float = 0.6
    scale: float = 1.0  # 1 is the usual size; about 0.85 .. 1.1
    crouch: float = 0.3  # 0 stands upright, 1 squats low
    lean: float = 0.0  # -1 .. 1, tilt to the left .. right (1 is about 23 degrees; vehicles: 6)
    stride: float = 0.0  # -1 .. 1, which foot is ahead
    arms: float = 0.0  # -1 .. 1, left arm down and right arm up .. the other way round
    facing: float = 1.0  # -1 looks and travels to the left, 0 to the viewer, 1 to the right
    ears: float = 0.0  # -1 .. 1, bobbing of ears and tail
    dip: float = 0.0  # 0 .. 1, an eater's head from upright down to the food
    bite: float = 0.0  # 0 .. 1, share of the food already eaten
    wheel: float = 0.0  # turns made by the wheels of a vehicle


@dataclass(frozen=True)
class Camera:
    """The camera follows the subject: panning scrolls what is behind, zooming enlarges everything."""

    pan: float = 0.0  # frame widths travelled to the right; far things scroll less than near ones
    zoom: float = 1.0  # magnification about the middle of the frame; about 0.92 .. 1.12


@dataclass(frozen=True)
class Scene:
    """Everything there is to know about one picture."""

    subject: str = "man"
    action: str = "skiing"
    food: str = ""
    attribute: str = "none"
    background: str = "plain"
    style: str = "plain"
    pose: Pose = field(default_factory=Pose)
    camera: Camera = field(default_factory=Camera)
    seed: int = 0  # arranges the details of the backdrop


def check(scene: Scene) -> Scene:
    """The scene itself if its parts go together; ValueError if not."""
    known = (
        (scene.action, ACTIONS),
        (scene.subject, DOERS.get(scene.action, ())),
        (scene.food, FOODS if scene.action == "eating" else ("",)),
        (scene.attribute, ("none",) if scene.action == "moving" else ATTRIBUTES),
        (scene.background, BACKGROUNDS),
        (scene.style, STYLES),
    )
    for value, allowed in known:
        if value not in allowed:
            raise ValueError(f"{value!r} is not one of {allowed} (action {scene.action!r})")
    return scene


def held_out(scene: Scene) -> bool:
    """True for one in ten combinations of subject, background and style: never shown in training."""
    key = f"{scene.subject}|{scene.background}|{scene.style}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % 10 == 0


def pick(rng, options):
    """One of the options, at random."""
    return options[int(rng.random() * len(options))]


def span(rng, low: float, high: float) -> float:
    """A number between low and high, at random."""
    return low + (high - low) * float(rng.random())


def random_scene(rng, allow_held_out: bool = False, **fixed) -> Scene:
    """A valid scene with every field drawn at random except the fixed ones."""
    for _ in range(2000):
        made = _random_fields(rng, fixed)
        try:
            scene = check(Scene(**made))
        except ValueError:
            continue
        if allow_held_out or not held_out(scene):
            return scene
    raise ValueError(f"no scene that may be trained on has {fixed}")


def _random_fields(rng, fixed: dict) -> dict:
    able = [a for a in ACTIONS for _ in range({"moving": 3, "eating": 4}.get(a, 7))]
    if "subject" in fixed:
        able = [a for a in able if fixed["subject"] in DOERS[a]]
    if fixed.get("food"):
        able = ["eating"]
    if not able:
        raise ValueError(f"nothing is done by {fixed}")
    action = fixed.get("action") or pick(rng, able)
    dressed = action != "moving" and rng.random() < 0.5
    made = dict(
        action=action,
        subject=pick(rng, DOERS.get(action, SUBJECTS)),
        food=pick(rng, FOODS) if action == "eating" else "",
        attribute=pick(rng, ATTRIBUTES[1:]) if dressed else "none",
        background="plain" if rng.random() < 0.15 else pick(rng, BACKGROUNDS),
        style="plain" if rng.random() < 0.25 else pick(rng, STYLES),
        pose=random_pose(action, rng),
        camera=Camera(span(rng, -1.5, 1.5), span(rng, 0.93, 1.1)),
        seed=int(rng.random() * 10000),
    )
    return {**made, **fixed}


# --------------------------------------------------------------------------------------------- motions


def _stand(x: float, ground: float, scale: float, crouch: float, lean: float, **rest) -> Pose:
    """A figure whose feet touch the ground at the given height of the frame."""
    tall = HEIGHT * scale * _leg(crouch)
    return Pose(x + sin(0.4 * lean) * tall, ground - cos(0.4 * lean) * tall, scale, crouch, lean, **rest)


def random_pose(action: str, rng) -> Pose:
    """Any pose that some motion of the action may reach."""
    side = 1.0 if rng.random() < 0.6 else -1.0
    scale, ears, swing = span(rng, 0.9, 1.06), span(rng, -1, 1), [span(rng, -1, 1) for _ in range(3)]
    loose = dict(stride=swing[0], arms=swing[1], ears=ears)
    if action == "moving":
        turn = dict(facing=side, wheel=span(rng, 0, 1))
        return Pose(span(rng, 0.4, 0.6), span(rng, 0.62, 0.67), scale, 0.0, swing[2] * 0.8, **turn)
    if action == "eating":
        dip = span(rng, 0, 1)
        rest = dict(arms=swing[1], facing=side, ears=ears, dip=dip, bite=span(rng, 0, 0.95))
        return Pose(span(rng, 0.42, 0.58), span(rng, 0.65, 0.69), scale, 0.0, swing[2], **rest)
    crouch = span(rng, 0, 1)
    if action == "surfing":
        facing = side * span(rng, 0.6, 1)
        return _stand(
            span(rng, 0.38, 0.62), span(rng, 0.74, 0.88), scale, crouch, swing[2], facing=facing, **loose
        )
    return _stand(
        span(rng, 0.32, 0.68),
        span(rng, 0.78, 0.87),
        scale,
        crouch,
        swing[2],
        facing=span(rng, -1, 1),
        **loose,
    )


def motion(action: str, frames: int, rng=None) -> list[tuple[Pose, Camera]]:
    """One smooth trajectory of the action; without rng the canonical one."""
    way = (1.0, 0.0, 1.0, 1.0, 0.5, 1.0)  # direction, phase (turns), swing, pace, middle, scale
    zoom = (1.0, 1.06)
    if rng is not None:
        side = 1.0 if rng.random() < 0.6 else -1.0
        way = (side, span(rng, 0, 1), span(rng, 0.7, 1.05), span(rng, 0.75, 1.2), span(rng, 0.46, 0.54))
        way += (span(rng, 0.93, 1.03),)
        zoom = (span(rng, 0.95, 1.07), span(rng, 0.95, 1.07))
    step = {"skiing": _ski, "surfing": _surf, "moving": _drive, "eating": _eat}[action]
    path = []
    for i in range(frames):
        t = i / max(frames - 1, 1)
        pose = step(t, *way)
        ease = t * t * (3 - 2 * t)
        pan = way[0] * way[3] * t * {"skiing": 0.8, "surfing": 0.9, "moving": 1.1, "eating": 0.12}[action]
        path.append((pose, Camera(pan, zoom[0] + (zoom[1] - zoom[0]) * ease)))
    return path


def _ski(t, side, phase, swing, pace, middle, scale) -> Pose:
    """Slalom: swings across the slope, leans into the turns, stands up between them."""
    a = 2 * pi * (1.25 * pace * t + phase) - 0.9
    x, lean, crouch = (
        middle + 0.15 * swing * sin(a) * side,
        -0.8 * swing * sin(a) * side,
        0.5 - 0.42 * cos(2 * a),
    )
    loose = dict(stride=0.8 * sin(a + 0.6), arms=sin(a + 0.9) * side, ears=sin(2 * a + 0.8))
    return _stand(x, 0.83 + 0.025 * cos(a), scale, crouch, lean, facing=0.95 * cos(a) * side, **loose)


def _surf(t, side, phase, swing, pace, middle, scale) -> Pose:
    """Rides up and down the wave, low at the foot of it, balancing with the arms."""
    a = 2 * pi * (1.2 * pace * t + phase)
    ground, lean = 0.81 - 0.055 * swing * sin(a), -0.75 * swing * cos(a) * side
    loose = dict(stride=0.6 * sin(a + 1), arms=swing * sin(a + 2), ears=sin(2 * a))
    x, facing = middle + 0.09 * swing * sin(a - 0.9) * side, side * (0.8 + 0.18 * cos(a))
    return _stand(x, ground, scale, 0.5 - 0.45 * sin(a + 0.7), lean, facing=facing, **loose)


def _drive(t, side, phase, swing, pace, middle, scale) -> Pose:
    """Drives along the road, wheels turning, body bobbing."""
    a = 2 * pi * (2 * pace * t + phase)
    x = middle + side * swing * 0.2 * (t - 0.5)
    turn = dict(facing=side, wheel=pace * 0.95 * t + phase)
    return Pose(x, 0.645 + 0.012 * swing * sin(a), scale, 0.0, 0.6 * swing * sin(a + 1.2), **turn)


def _eat(t, side, phase, swing, pace, middle, scale) -> Pose:
    """Bends down for a bite, comes up to chew, two or three times over."""
    a = 2.0 * pace * t + 0.1 + 0.3 * phase
    part = a - floor(a)
    bite = (floor(a) + min(max(part - 0.3, 0) / 0.4, 1)) / 3
    dip = (0.5 - 0.5 * cos(2 * pi * a)) * min(1.0, 0.85 + 0.2 * swing)
    chew = dict(arms=0.7 * sin(2 * pi * a), ears=sin(2 * pi * a + 0.9), dip=dip, bite=min(bite, 0.95))
    return Pose(
        middle - 0.03 * side, 0.67, scale, 0.0, 0.6 * side * swing * dip - 0.15 * side, facing=side, **chew
    )


def clip(scene: Scene, frames: int, rng=None) -> list[Scene]:
    """The scene in motion: one scene per frame."""
    return [replace(scene, pose=pose, camera=camera) for pose, camera in motion(scene.action, frames, rng)]


def edit(scenes: list[Scene], **changes) -> list[Scene]:
    """The same motion with another subject, background, attribute, style ...; ValueError if invalid."""
    return [check(replace(scene, **changes)) for scene in scenes]


# -------------------------------------------------------------------------------------------- captions

NAMES = {"spider man", "wonder woman", "iron man", "mickey mouse"}  # proper names take no article
VERBS = {
    "skiing": ("skiing",),
    "surfing": ("surfing",),
    "eating": ("eating",),
    "moving": ("moving", "driving"),
}
PLACES = {"plain": "", "snow": " on the snow", "beach": " on the beach", "desert": " in the desert"}
PLACES |= {"grass": " on the grass", "city": " in the city", "sunset": " at sunset", "night": " at night"}
WORN = {"cowboy hat": "a cowboy hat", "birthday hat": "a birthday hat", "sunglasses": "sunglasses"}
WORN |= {"pink clothes": "pink clothes"}


def _a(noun: str) -> str:
    return noun if noun in NAMES else f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def caption(scene: Scene, rng=None) -> str:
    """The scene in words; with rng one of several wordings, all of which `parse` understands."""

    def some(*wordings):  # the first wording is the canonical one
        return wordings[0] if rng is None else wordings[min(int(rng.random() * 2 * len(wordings)) // 2, 3)]

    who, style = _a(scene.subject), scene.style
    if scene.subject not in NAMES:
        who = some(who, who, f"the {scene.subject}")
    front = style != "plain" and some(False, False, True)
    is_ = "" if front else some(" is", " is", "")
    worn = WORN.get(scene.attribute)
    if worn:
        is_ = some(f", wearing {worn},{is_}", f" wearing {worn}{is_}", f" with {worn}{is_}")
    what = f" {_a(scene.food)} on the table" if scene.food else ""
    what += " on the road" if scene.action == "moving" else ""
    text = f"{who}{is_} {some(*VERBS[scene.action])}{what}{PLACES[scene.background]}"
    if style == "plain":
        return text
    if front:
        return f"{style if style == 'pixel art' else _a(style)} of {text}"
    return text + some(
        f", {style} style", f", {style} style", f", in {style} style", f", in the style of {style}"
    )


def _grammar() -> re.Pattern:
    one = lambda words: "|".join(sorted(map(re.escape, words), key=len, reverse=True))  # noqa: E731
    styles = one(STYLES[1:])
    return re.compile(
        rf"(?:(?:an? )?(?P<front>{styles}) of )?(?:(?:an?|the) )?(?P<subject>{one(SUBJECTS)})"
        rf"(?:,? (?:wearing|with) (?:an? )?(?P<attribute>{one(ATTRIBUTES[1:])}),?)?"
        rf"(?: is)? (?P<action>{one(ACTIONS + ('driving',))})"
        rf"(?: (?:an? |the )?(?P<food>{one(FOODS)})(?: on the table)?)?(?P<road> on the road)?"
        rf"(?P<place>{one(p for p in PLACES.values() if p)})?"
        rf"(?:,? (?:in )?(?P<style>{styles}) style|,? in the style of (?:an? )?(?P<late>{styles}))?"
    )


GRAMMAR = _grammar()


def parse(text: str) -> dict[str, str]:
    """What a caption says: subject, action, food, attribute, background, style; or ValueError."""
    found = GRAMMAR.fullmatch(" ".join(text.lower().strip(" .").split()))
    if not found:
        raise ValueError(f"cannot read {text!r}")
    said = found.groupdict()
    styles = [said[k] for k in ("front", "style", "late") if said[k]]
    action = "moving" if said["action"] == "driving" else said["action"]
    if len(styles) > 1 or (said["road"] and action != "moving"):
        raise ValueError(f"cannot read {text!r}")
    place = next(name for name, phrase in PLACES.items() if phrase == (said["place"] or ""))
    parts = dict(subject=said["subject"], action=action, food=said["food"] or "")
    parts |= dict(attribute=said["attribute"] or "none", background=place, style=(styles or ["plain"])[0])
    check(Scene(**parts))
    return parts


# ------------------------------------------------------------------------------------------------- pen


@dataclass(frozen=True)
class Look:
    """How a style treats a drawing: outline (pixels in a frame of 128) and colour."""

    near: float  # outline of the figure
    far: float  # outline of the backdrop
    ink: Color = (0, 0, 0)


LOOKS = {
    "plain": Look(0, 0),
    "cartoon": Look(2.1, 1.5, (44, 26, 56)),
    "comic": Look(2.9, 2.0, (8, 6, 14)),
    "sketch": Look(2.0, 1.6, (74, 68, 72)),
    "watercolor": Look(0, 0),
    "pixel art": Look(0, 0),
}
PAPER = (250, 246, 236)
GRADES = {"sunset": (1.0, 0.80, 0.74), "night": (0.42, 0.48, 0.80)}  # light on the ground
SOFT_GRADES = {"sunset": (1.0, 0.93, 0.90), "night": (0.86, 0.90, 1.0)}  # light on figures
CIRCLE = [(cos(2 * pi * i / 28), sin(2 * pi * i / 28)) for i in range(28)]


def mix(a, b, share: float):
    """Colour between a (share 0) and b (share 1)."""
    return tuple(p + (q - p) * share for p, q in zip(a, b, strict=True))


@lru_cache(maxsize=20000)
def paint(color: Color, style: str, far: bool, background: str) -> Color:
    """The colour as a style and the light of the place render it; figures keep more of theirs."""
    light = (GRADES if far else SOFT_GRADES).get(background, (1, 1, 1))
    c = tuple(v * k for v, k in zip(color, light, strict=True))
    gray = (0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2],) * 3
    if style == "cartoon":
        c = mix(gray, c, 1.25)
    elif style == "comic":
        c = tuple(round(v / 51) * 51 for v in mix(gray, c, 1.45))
    elif style == "sketch":
        share = (0.55 if background == "night" else 0.28) if far else 0.42
        c = mix(PAPER, mix(gray, c, 0.6), share)
    elif style == "watercolor":
        share = (0.8 if background == "night" else 0.6) if far else 0.86
        c = mix((255, 253, 248), mix(gray, c, 1.15), share)
    elif style == "pixel art":
        c = mix(gray, c, 1.2)
    return tuple(int(min(max(v, 0), 255)) for v in c)


class Pen:
    """Draws filled shapes, outlined if the style says so, in a frame that can be moved and turned."""

    def __init__(self, canvas, side: int, scene: Scene, far: bool):
        self.canvas, self.side, self.far, self.scene = canvas, side, far, scene
        self.look = LOOKS[scene.style]
        self.line = (self.look.far if far else self.look.near) * side / 128
        self.matrix = (side, 0.0, 0.0, side, 0.0, 0.0)

    def at(self, origin: Point, unit: float, angle: float = 0.0, flip: float = 1.0) -> Pen:
        """A pen whose origin, unit of length and angle (radians) are given in this one's terms."""
        pen = object.__new__(Pen)
        pen.__dict__.update(self.__dict__)
        a, b, c, d, _, _ = self.matrix
        p, q = unit * cos(angle), unit * sin(angle)
        pen.matrix = (
            *((a * p + b * q) * flip, b * p - a * q, (c * p + d * q) * flip, d * p - c * q),
            *self.place([origin])[0],
        )
        return pen

    def place(self, points) -> list[Point]:
        """Points in pixels."""
        a, b, c, d, e, f = self.matrix
        return [(a * x + b * y + e, c * x + d * y + f) for x, y in points]

    @property
    def unit(self) -> float:
        """Pixels in this pen's unit of length."""
        a, b, c, d, _, _ = self.matrix
        return sqrt(abs(a * d - b * c))

    def hue(self, color: Color) -> Color:
        return (*paint(color, self.scene.style, self.far, self.scene.background), 255)

    def poly(self, points, color: Color, line: float = 1.0) -> None:
        """A filled polygon."""
        dots = self.place(points)
        if self.line and line:
            joint = "curve" if len(dots) < 9 else None
            self.canvas.line([*dots, *dots[:2]], (*self.look.ink, 255), round(2 * self.line * line), joint)
        self.canvas.polygon(dots, self.hue(color))

    def blob(self, points, color: Color, line: float = 1.0) -> None:
        """A filled closed shape with rounded corners."""
        for _ in range(2):
            ring = [*points[1:], points[0]]
            points = [
                (u[0] * k + v[0] * (1 - k), u[1] * k + v[1] * (1 - k))
                for u, v in zip(points, ring, strict=True)
                for k in (0.75, 0.25)
            ]
        self.poly(points, color, line)

    def oval(self, x, y, rx, ry, color: Color, angle: float = 0.0, line: float = 1.0) -> None:
        """A filled ellipse about (x, y); angle in radians."""
        grow = self.line * line / self.unit
        c, s = cos(angle), sin(angle)
        for more, fill in ((grow, (*self.look.ink, 255)), (0.0, self.hue(color)))[0 if grow else 1 :]:
            p, q = rx + more, ry + more
            dots = [(x + u * p * c - v * q * s, y + u * p * s + v * q * c) for u, v in CIRCLE]
            self.canvas.polygon(self.place(dots), fill)

    def limb(self, points, width: float, color: Color, line: float = 1.0) -> None:
        """A thick bent stroke with round ends."""
        dots, wide, grow = self.place(points), width * self.unit, 2 * self.line * line
        for thick, fill in ((wide + grow, (*self.look.ink, 255)), (wide, self.hue(color)))[
            0 if grow else 1 :
        ]:
            r = thick / 2
            self.canvas.line(dots, fill, round(thick))
            for x, y in dots:
                self.canvas.ellipse((x - r, y - r, x + r, y + r), fill)


def noise(seed: int, *place: int) -> float:
    """A fixed random-looking number in 0 .. 1 for a seed and whole numbers."""
    h = (seed * 2654435761 + 97) & 0xFFFFFFFF
    for p in place:
        h = ((h ^ (p & 0xFFFF)) * 2246822519 + 374761393) & 0xFFFFFFFF
        h ^= h >> 15
    return (h * 3266489917 & 0xFFFFFFFF) / 4294967296


def scroll(pen: Pen, depth: float, spacing: float, layer: int):
    """Places (x, number in 0 .. 1) of things in a row that scrolls with the camera; depth 1 is near."""
    seed, shift = pen.scene.seed, pen.scene.camera.pan * depth
    for i in range(floor((shift - 0.4) / spacing), ceil((shift + 1.4) / spacing) + 1):
        r = noise(seed, layer, i)
        yield (i + 0.6 * (noise(seed, layer, i, 1) - 0.5)) * spacing - shift, r


# ------------------------------------------------------------------------------------------- skeletons


@dataclass(frozen=True)
class Rig:
    """The named points of a subject, in its own frame and (by `points`) in the picture's."""

    local: dict[str, Point]
    root: Point  # where the local origin lies in the picture
    unit: float  # local unit of length, as a share of the frame
    angle: float = 0.0  # radians
    flip: float = 1.0
    nod: float = 0.0  # angle of the head in the local frame, radians

    def pen(self, pen: Pen) -> Pen:
        return pen.at(self.root, self.unit, self.angle, self.flip)

    def points(self) -> dict[str, Point]:
        c, s, u = cos(self.angle), sin(self.angle), self.unit
        turned = {k: (x * self.flip, y) for k, (x, y) in self.local.items()}
        return {
            k: (self.root[0] + u * (x * c - y * s), self.root[1] + u * (x * s + y * c))
            for k, (x, y) in turned.items()
        }


def _leg(crouch: float) -> float:
    """Height of the hip above the feet, in figure heights."""
    return 0.31 * (1 - 0.40 * crouch)


def rig(scene: Scene) -> Rig:
    """The skeleton of the scene's subject; everything is drawn from it."""
    p, z = scene.pose, scene.camera.zoom
    root = (0.5 + (p.x - 0.5) * z, 0.5 + (p.y - 0.5) * z)
    unit = HEIGHT * p.scale * z
    if scene.action == "moving":
        local = dict(centre=(0, 0), roof=(-0.08, -0.34), lamp=(0.52, -0.02))
        local |= dict(front_wheel=(0.32, 0.17), back_wheel=(-0.32, 0.17))
        return Rig(local, root, unit * 1.12, 0.1 * p.lean, -1.0 if p.facing < 0 else 1.0)
    if scene.action == "eating":
        side, dip = (-1.0 if p.facing < 0 else 1.0), p.dip
        local = dict(hip=(0, 0), neck=(0.06 * side * dip, -0.17 + 0.1 * dip))
        local["head"] = (0.02 * side + 0.11 * side * dip + 0.04 * p.lean, -0.33 + 0.17 * dip)
        local["food"] = (0.23 * side, 0.09)
        local["left_hand"] = (-0.22 + 0.02 * side, 0.14 - 0.05 * max(p.arms, 0))
        local["right_hand"] = (0.22 + 0.02 * side, 0.14 - 0.05 * max(-p.arms, 0))
        return Rig(local, root, unit, 0.0, 1.0, 0.25 * p.lean + 0.15 * side * dip)
    unit *= KITS[scene.subject].height
    angle = 0.4 * p.lean
    return Rig(_biped(p, scene.action == "surfing"), root, unit, angle, 1.0, -0.5 * angle)


def _biped(p: Pose, wide: bool) -> dict[str, Point]:
    """Joints of a standing figure about its hip, in figure heights."""
    forward, leg = 0.07 * p.crouch * p.facing, _leg(p.crouch)
    neck = (forward, -0.24 + 0.02 * p.crouch)
    local = dict(hip=(0.0, 0.0), neck=neck, head=(neck[0] + 0.025 * p.facing, neck[1] - 0.165))
    stance = 0.16 if wide else 0.085 + 0.05 * p.crouch
    for name, side in (("left", -1), ("right", 1)):
        step = p.stride * side * 0.05
        foot = (side * stance + step * p.facing * 1.2, leg - step * (1 - 0.6 * abs(p.facing)))
        bulge = sqrt(max(0.175**2 - (leg / 2) ** 2, 0.0004))
        knee = (foot[0] * 0.55 + bulge * (0.6 * side + 0.75 * p.facing), foot[1] * 0.5)
        lift = (0.1 if wide else 0.75) + (0.75 if wide else 0.6) * p.arms * -side - 0.1 * p.crouch
        reach = 0.27 if wide else 0.23
        shoulder = (neck[0] + side * 0.115, neck[1] + 0.045)
        hand = (
            shoulder[0] + side * reach * cos(lift) + (0 if wide else 0.05) * p.facing,
            shoulder[1] + reach * sin(lift),
        )
        bend = 0.04 if wide else 0.035
        elbow = ((shoulder[0] + hand[0]) / 2 + side * bend * 0.4, (shoulder[1] + hand[1]) / 2 + bend)
        local |= {f"{name}_foot": foot, f"{name}_knee": knee, f"{name}_hand": hand, f"{name}_elbow": elbow}
        local[f"{name}_shoulder"] = shoulder
    return local


def joints(scene: Scene) -> dict[str, Point]:
    """Named points of the subject as (x, y) shares of the frame, exactly where `draw` puts them."""
    return rig(scene).points()


# ------------------------------------------------------------------------------------------- backdrops

SKIES = {  # colour at the top, at the horizon
    "plain": ((214, 228, 240), (248, 246, 240)),
    "snow": ((120, 186, 240), (206, 232, 252)),
    "beach": ((40, 170, 240), (150, 224, 250)),
    "desert": ((250, 196, 110), (255, 232, 170)),
    "grass": ((90, 176, 250), (196, 232, 255)),
    "city": ((196, 180, 214), (246, 222, 214)),
    "sunset": ((110, 50, 130), (255, 140, 50)),
    "night": ((10, 14, 52), (36, 42, 104)),
}
GROUNDS = {  # colour of the ground, of the marks on it
    "plain": ((236, 238, 240), (206, 216, 228)),
    "snow": ((238, 246, 255), (176, 204, 238)),
    "beach": ((246, 220, 150), (222, 180, 100)),
    "desert": ((232, 158, 84), (196, 112, 52)),
    "grass": ((116, 190, 66), (66, 142, 44)),
    "city": ((176, 172, 178), (134, 130, 142)),
    "sunset": ((250, 190, 170), (222, 130, 130)),
    "night": ((150, 168, 214), (96, 116, 180)),
}
WHITE, BLACK, GOLD = (255, 255, 255), (24, 20, 28), (252, 200, 48)


def _plain(pen: Pen) -> None:
    for x, r in scroll(pen, 0.25, 0.7, 1):
        pen.oval(x, 0.66, 0.45, 0.12 + 0.06 * r, (226, 232, 238), line=0)


def _snow(pen: Pen) -> None:
    for x, r in scroll(pen, 0.15, 0.5, 1):
        top, w = 0.20 + 0.14 * r, 0.34
        pen.poly([(x - w, 0.68), (x, top), (x + w, 0.68)], (96, 128, 186))
        cap = [
            (x - w * 0.38, top + 0.18),
            (x, top),
            (x + w * 0.38, top + 0.18),
            (x + 0.05, top + 0.14),
            (x - 0.04, top + 0.19),
        ]
        pen.poly(cap, WHITE, line=0)
    for x, r in scroll(pen, 0.4, 0.3, 2):
        _pine(pen.at((x, 0.66), 0.26 + 0.1 * r))
    for x, r in scroll(pen, 0.55, 0.13, 3):
        pen.oval(x, 0.04 + 0.55 * r, 0.016, 0.016, WHITE, line=0)


def _pine(pen: Pen) -> None:
    pen.poly([(-0.07, 0.1), (-0.07, -0.2), (0.07, -0.2), (0.07, 0.1)], (110, 70, 44))
    for y, w in ((-0.15, 0.42), (-0.48, 0.32), (-0.8, 0.22)):
        pen.poly([(-w, y), (0, y - 0.55), (w, y)], (22, 112, 84))
    pen.poly([(-0.13, -1.03), (0, -1.35), (0.13, -1.03), (0, -1.1)], WHITE, line=0)


def _beach(pen: Pen) -> None:
    pen.oval(0.82, 0.16, 0.085, 0.085, (255, 226, 60))
    pen.poly([(-0.3, 0.46), (1.3, 0.46), (1.3, 0.7), (-0.3, 0.7)], (0, 140, 190))
    for x, r in scroll(pen, 0.3, 0.34, 1):
        pen.limb([(x, 0.5 + 0.06 * r), (x + 0.12, 0.5 + 0.06 * r)], 0.016, (150, 226, 240), line=0)
    pen.poly([(-0.3, 0.6), (1.3, 0.6), (1.3, 1.2), (-0.3, 1.2)], GROUNDS["beach"][0])
    for x, r in scroll(pen, 0.55, 0.72, 2):
        _palm(pen.at((x, 0.66), 0.52 + 0.08 * r, flip=1 if r > 0.5 else -1))


def _palm(pen: Pen) -> None:
    pen.limb([(0, 0.02), (0.05, -0.35), (0.14, -0.72)], 0.075, (150, 96, 52))
    for a in (-2.9, -2.2, -0.9, -0.2, 0.45, 2.75):
        tip = (0.14 + 0.4 * cos(a), -0.74 + 0.26 * sin(a) + 0.08)
        mid = (0.14 + 0.24 * cos(a), -0.84 + 0.22 * sin(a))
        pen.blob([(0.14, -0.70), mid, tip, (mid[0], mid[1] + 0.12)], (30, 160, 72))
    pen.oval(0.12, -0.69, 0.045, 0.045, (120, 66, 30))


def _desert(pen: Pen) -> None:
    pen.oval(0.2, 0.17, 0.08, 0.08, (255, 250, 214))
    for x, r in scroll(pen, 0.15, 0.8, 1):
        w, h = 0.14 + 0.08 * r, 0.36
        pen.poly([(x - w - 0.06, 0.66), (x - w, h), (x + w, h), (x + w + 0.06, 0.66)], (198, 92, 62))
    for x, r in scroll(pen, 0.3, 0.6, 2):
        pen.oval(x, 0.72, 0.46, 0.16 + 0.08 * r, (240, 180, 100))
    for x, r in scroll(pen, 0.55, 0.46, 3):
        _cactus(pen.at((x, 0.68), 0.32 + 0.1 * r))


def _cactus(pen: Pen) -> None:
    green = (30, 134, 84)
    pen.limb([(0.02, -0.36), (0.3, -0.38), (0.3, -0.62)], 0.15, green)
    pen.limb([(0.02, -0.26), (-0.28, -0.28), (-0.28, -0.5)], 0.15, green)
    pen.limb([(0, 0.1), (0, -0.82)], 0.22, green)


def _grass(pen: Pen) -> None:
    for x, r in scroll(pen, 0.1, 0.55, 1):
        for dx, size in ((-0.08, 0.055), (0.0, 0.08), (0.09, 0.055)):
            pen.oval(x + dx, 0.12 + 0.12 * r, size * 1.3, size, WHITE, line=0)
    for x, r in scroll(pen, 0.25, 0.5, 2):
        pen.oval(x, 0.74, 0.42, 0.24 + 0.12 * r, (146, 208, 80))
    pen.poly([(-0.3, 0.62), (1.3, 0.62), (1.3, 1.2), (-0.3, 1.2)], GROUNDS["grass"][0], line=0)
    for x, r in scroll(pen, 0.5, 0.15, 3):
        _flower(
            pen.at((x, 0.60 + 0.06 * r), 0.05),
            ((236, 54, 80), (255, 216, 40), WHITE, (190, 80, 220))[int(4 * r) % 4],
        )


def _flower(pen: Pen, color: Color) -> None:
    pen.limb([(0, 0), (0, 1.4)], 0.35, (40, 120, 40), line=0)
    pen.oval(0, 0, 0.75, 0.75, color, line=0.7)
    pen.oval(0, 0, 0.3, 0.3, (255, 170, 30), line=0)


def _city(pen: Pen) -> None:
    for x, r in scroll(pen, 0.15, 0.2, 1):
        pen.poly(
            [(x - 0.12, 0.7), (x - 0.12, 0.12 + 0.25 * r), (x + 0.12, 0.12 + 0.25 * r), (x + 0.12, 0.7)],
            (164, 150, 190),
        )
    walls = ((196, 84, 72), (66, 106, 156), (222, 160, 88), (104, 84, 140))
    for x, r in scroll(pen, 0.4, 0.29, 2):
        w, top = 0.115, 0.20 + 0.24 * noise(pen.scene.seed, int(r * 1e6))
        pen.poly([(x - w, 0.74), (x - w, top), (x + w, top), (x + w, 0.74)], walls[int(r * 4)])
        for k in range(10):
            u, v = x + (-0.055 if k % 2 else 0.055), top + 0.07 + 0.095 * (k // 2)
            pen.poly(
                [(u - 0.03, v + 0.05), (u - 0.03, v), (u + 0.03, v), (u + 0.03, v + 0.05)],
                (255, 238, 150),
                line=0,
            )


def _sunset(pen: Pen) -> None:
    for y, color in ((0.30, (226, 74, 96)), (0.44, (250, 112, 62))):
        pen.poly([(-0.3, y), (1.3, y), (1.3, 0.8), (-0.3, 0.8)], color, line=0)
    x = 0.68 - 0.05 * pen.scene.camera.pan
    pen.oval(x, 0.44, 0.25, 0.25, (255, 176, 50), line=0)
    pen.oval(x, 0.44, 0.2, 0.2, (255, 236, 110))
    for x, r in scroll(pen, 0.3, 0.5, 1):
        pen.oval(x, 0.74, 0.40, 0.16 + 0.1 * r, (120, 40, 104))


def _night(pen: Pen) -> None:
    x = 0.80 - 0.05 * pen.scene.camera.pan
    pen.oval(x, 0.17, 0.115, 0.115, (255, 255, 190), line=0)
    pen.oval(x - 0.055, 0.14, 0.095, 0.095, (26, 34, 122), line=0)
    for k, (x, r) in enumerate(scroll(pen, 0.08, 0.14, 1)):
        y = 0.04 + 0.42 * noise(pen.scene.seed, int(r * 1e6))
        s = 0.018 + 0.016 * r
        star = [(x, y - s * 1.5), (x + s / 2, y - s / 2), (x + s * 1.5, y), (x + s / 2, y + s / 2)]
        star += [(x, y + s * 1.5), (x - s / 2, y + s / 2), (x - s * 1.5, y), (x - s / 2, y - s / 2)]
        pen.poly(star, (255, 255, 214), line=0)
    for x, r in scroll(pen, 0.3, 0.5, 2):
        pen.oval(x, 0.76, 0.40, 0.16 + 0.1 * r, (50, 62, 120))


BACKDROPS = dict(plain=_plain, snow=_snow, beach=_beach, desert=_desert, grass=_grass, city=_city)
BACKDROPS |= dict(sunset=_sunset, night=_night)


# ------------------------------------------------------------------------------------------- the ground


def _slope(pen: Pen) -> None:
    """A ski slope of the background's material, falling to the right."""
    base, mark = GROUNDS[pen.scene.background]
    if pen.scene.background in ("plain", "snow"):
        base = (246, 250, 255) if pen.scene.background == "plain" else base
    pen.blob([(-0.5, 0.56), (0.3, 0.60), (1.5, 0.68), (1.6, 1.5), (-0.6, 1.5)], base)
    for row, (y, depth) in enumerate(((0.70, 0.8), (0.80, 1.0), (0.93, 1.25))):
        for x, r in scroll(pen, depth, 0.42, 10 + row):
            pen.limb(
                [(x - 0.07 - 0.05 * r, y), (x + 0.07 + 0.05 * r, y + 0.02)], 0.016 + 0.008 * row, mark, line=0
            )


def _water(pen: Pen) -> None:
    """A breaking wave, high behind the rider, that runs along with the camera."""
    scene = pen.scene
    side = -1.0 if scene.pose.facing < 0 else 1.0
    sea, streak = (10, 112, 214), (116, 206, 250)
    pen = pen.at((0.5, 0), 1, flip=side)
    face = [
        (-0.9, 1.3),
        (-0.9, 0.34),
        (-0.45, 0.30),
        (-0.24, 0.40),
        (-0.1, 0.60),
        (0.2, 0.70),
        (0.9, 0.66),
        (0.9, 1.3),
    ]
    pen.blob(face, sea)
    travel = scene.camera.pan * side
    for row in range(4):
        for k in range(3):
            s = (k / 3 + 0.41 * row - travel * (0.8 + 0.1 * row) / 1.5) % 1.0
            x, y = -0.75 + 1.5 * s, 0.74 + 0.08 * row
            rise = [0.5 * max(0.0, -0.05 - u) for u in (x - 0.1, x, x + 0.1)]
            dots = [(x - 0.1, y - rise[0]), (x, y - rise[1] + 0.015), (x + 0.1, y - rise[2])]
            pen.limb(dots, 0.017 + 0.003 * row, streak, line=0)
    for k in range(9):
        s = (k / 9 - travel * 0.5) % 1.0
        x = -0.62 + 0.44 * s
        y = 0.31 + 0.5 * max(0.0, x + 0.36) ** 1.1
        pen.oval(x, y, 0.03 + 0.05 * sin(pi * s), 0.03 + 0.045 * sin(pi * s), (240, 250, 255), line=0)


def _road(pen: Pen) -> None:
    """A road with a dashed line, seen from the side."""
    base, mark = GROUNDS[pen.scene.background]
    pen.poly([(-0.5, 0.62), (1.5, 0.62), (1.5, 1.5), (-0.5, 1.5)], base)
    for x, r in scroll(pen, 0.8, 0.3, 10):
        pen.limb([(x - 0.05 - 0.04 * r, 0.66), (x + 0.05 + 0.04 * r, 0.66)], 0.018, mark, line=0)
    pen.poly([(-0.5, 0.70), (1.5, 0.70), (1.5, 0.97), (-0.5, 0.97)], (92, 92, 102))
    shift = pen.scene.camera.pan
    for i in range(floor((shift - 0.5) / 0.36), ceil((shift + 1.5) / 0.36)):
        x = i * 0.36 - shift
        pen.poly(
            [(x, 0.885), (x + 0.2, 0.885), (x + 0.19, 0.925), (x - 0.01, 0.925)], (255, 244, 200), line=0
        )


def _floor(pen: Pen) -> None:
    """The ground behind a table."""
    base, mark = GROUNDS[pen.scene.background]
    pen.poly([(-0.5, 0.62), (1.5, 0.62), (1.5, 1.5), (-0.5, 1.5)], base)
    for x, r in scroll(pen, 0.8, 0.3, 10):
        pen.limb([(x - 0.06, 0.68 + 0.05 * r), (x + 0.06, 0.68 + 0.05 * r)], 0.018, mark, line=0)


# --------------------------------------------------------------------------------------------- figures


@dataclass(frozen=True)
class Kit:
    """Colours and features of a figure."""

    skin: Color  # or fur
    top: Color
    bottom: Color
    shoes: Color
    hands: Color
    arms: Color
    head: str  # which function draws it
    extra: Color = (60, 60, 60)  # hair, ears or trim
    tail: str = ""
    height: float = 1.0


def _animal(fur: Color, extra: Color, belly: Color, tail: str, **more) -> Kit:
    return Kit(
        **(dict(skin=fur, top=fur, bottom=fur, shoes=fur, hands=fur, arms=fur, head="animal") | more),
        extra=extra,
        tail=tail,
    )


TAN, RED, TEAL = (246, 200, 160), (226, 28, 40), (20, 176, 172)
PINK, HOT_PINK = (255, 96, 178), (214, 30, 128)
CREAM = (255, 244, 224)
KITS = {
    "man": Kit(TAN, (40, 92, 216), (84, 62, 58), (50, 40, 44), TAN, (40, 92, 216), "human", (104, 58, 26)),
    "woman": Kit(
        TAN, (150, 60, 200), (96, 34, 140), (70, 24, 96), TAN, (150, 60, 200), "human", (224, 84, 26)
    ),
    "boy": Kit(
        TAN,
        (255, 206, 30),
        (30, 150, 80),
        (200, 70, 40),
        TAN,
        (255, 206, 30),
        "human",
        (120, 66, 30),
        "",
        0.9,
    ),
    "spider man": Kit(RED, RED, (30, 66, 200), RED, RED, (30, 66, 200), "spider"),
    "wonder woman": Kit(TAN, RED, (36, 60, 190), RED, TAN, TAN, "human", (30, 22, 40)),
    "iron man": Kit(
        (206, 24, 30), (206, 24, 30), (206, 24, 30), (206, 24, 30), (206, 24, 30), GOLD, "iron", GOLD
    ),
    "mickey mouse": Kit(BLACK, BLACK, (232, 30, 36), (255, 208, 20), WHITE, BLACK, "mickey", BLACK, "thin"),
    "robot": Kit(
        TEAL, TEAL, (16, 120, 130), (10, 84, 96), (255, 190, 40), (16, 120, 130), "robot", (240, 60, 60)
    ),
    "astronaut": Kit(
        WHITE, (246, 248, 252), (246, 248, 252), (250, 130, 30), (250, 130, 30), (246, 248, 252), "astronaut"
    ),
    "panda": _animal(WHITE, BLACK, WHITE, "stub", bottom=BLACK, shoes=BLACK, hands=BLACK, arms=BLACK),
    "raccoon": _animal(
        (150, 128, 112), (58, 44, 46), (214, 196, 180), "ringed", shoes=(58, 44, 46), hands=(58, 44, 46)
    ),
    "rabbit": _animal((206, 188, 220), (255, 150, 180), (246, 238, 250), "puff"),
    "tiger": _animal((248, 140, 24), (50, 26, 16), (255, 240, 214), "striped"),
    "puppy": _animal((176, 112, 58), (104, 56, 26), (244, 216, 176), "short"),
    "cat": _animal((96, 122, 172), (255, 160, 176), (214, 224, 240), "long"),
}
BELLIES = {"panda": WHITE, "raccoon": (214, 196, 180), "rabbit": (246, 238, 250), "tiger": (255, 240, 214)}
BELLIES |= {"puppy": (244, 216, 176), "cat": (214, 224, 240)}


def _dress(scene: Scene) -> Kit:
    """The subject's kit, in pink clothes if it wears them."""
    kit = KITS[scene.subject]
    if scene.attribute != "pink clothes":
        return kit
    return replace(kit, top=PINK, bottom=PINK, arms=PINK)


def _figure(pen: Pen, scene: Scene) -> None:
    """A skier or a surfer with everything it rides on and holds."""
    r, kit = rig(scene), _dress(scene)
    body, j = r.pen(pen), r.local
    head = body.at(j["head"], 0.195, r.nod)
    _tail(body.at((-0.1 * scene.pose.facing, 0.0), 1.0), scene, kit)
    if scene.subject in ("woman", "wonder woman"):
        _long_hair(head, scene.pose, kit.extra)
    if scene.action == "skiing":
        _skis(pen, body, scene, j)
    else:
        _board(pen, body, scene, j)
    for side in ("left", "right"):
        hip = (-0.055 if side == "left" else 0.055, 0.0)
        pants = kit.bottom if scene.subject not in ("boy", "wonder woman", "mickey mouse") else kit.skin
        if scene.attribute == "pink clothes":
            pants = PINK
        body.limb([hip, j[f"{side}_knee"], j[f"{side}_foot"]], 0.105, pants)
        x, y = j[f"{side}_foot"]
        body.oval(x + 0.02 * scene.pose.facing, y, 0.075, 0.055, kit.shoes)
    _torso(body, scene, kit, j)
    for side in ("left", "right"):
        arm = [j[f"{side}_shoulder"], j[f"{side}_elbow"], j[f"{side}_hand"]]
        body.limb(arm, 0.085, kit.arms)
        body.oval(*j[f"{side}_hand"], 0.055, 0.055, kit.hands)
    _head(head, scene, kit)


def _skis(pen: Pen, body: Pen, scene: Scene, j: dict) -> None:
    """Skis under the feet, poles from the hands to the snow behind."""
    f = scene.pose.facing
    dx, dy = 0.36 * f, 0.09 + 0.10 * (1 - abs(f))
    for side in ("left", "right"):
        x, y = j[f"{side}_foot"]
        y += 0.035
        tail, tip = (x - 0.75 * dx, y - 0.75 * dy * 0.6), (x + dx, y + dy * 0.6)
        body.limb([tail, tip, (tip[0] + 0.05 * f, tip[1] - 0.04 * abs(f))], 0.042, (255, 90, 30))
        hx, hy = j[f"{side}_hand"]
        sign = -1 if side == "left" else 1
        body.limb([(hx, hy - 0.04), (hx - 0.16 * f + 0.05 * sign, hy + 0.30)], 0.026, (70, 50, 110))


def _board(pen: Pen, body: Pen, scene: Scene, j: dict) -> None:
    """A surfboard under both feet, with spray at its tail."""
    (ax, ay), (bx, by) = j["left_foot"], j["right_foot"]
    x, y, f = (ax + bx) / 2, (ay + by) / 2 + 0.03, scene.pose.facing
    for k in range(4):
        d = 0.30 + 0.075 * k
        wob = 0.02 * sin(9 * scene.camera.pan + 2 * k)
        body.oval(x - f * d, y + 0.03 - 0.035 * k + wob, 0.05 + 0.02 * k, 0.045 + 0.016 * k, WHITE, line=0)
    tilt = 0.12 * f
    body.oval(x, y, 0.44, 0.072, (255, 214, 50), tilt)
    body.limb(
        [(x - 0.32 * cos(tilt), y - 0.32 * sin(tilt)), (x + 0.32 * cos(tilt), y + 0.32 * sin(tilt))],
        0.036,
        (236, 50, 70),
        0,
    )


def _tail(pen: Pen, scene: Scene, kit: Kit) -> None:
    """Tails stick out behind, wagging with the ears."""
    f = -1.0 if scene.pose.facing > 0 else 1.0
    f *= max(abs(scene.pose.facing), 0.3)
    wag = 0.05 * scene.pose.ears
    bend = [(0, 0.03), (0.16 * f, 0.04), (0.27 * f, -0.06 + wag), (0.30 * f, -0.20 + wag)]
    if kit.tail in ("ringed", "striped", "long"):
        wide = {"ringed": 0.13, "striped": 0.07, "long": 0.065}[kit.tail]
        pen.limb(bend, wide, kit.skin)
        if kit.tail != "long":
            for (ax, ay), (bx, by) in zip(bend[1:], bend[2:], strict=False):
                for t in (0.2, 0.75):
                    x, y = ax + (bx - ax) * t, ay + (by - ay) * t
                    d = hypot(bx - ax, by - ay)
                    u, v = (bx - ax) / d * 0.018, (by - ay) / d * 0.018
                    pen.limb(
                        [(x - v * wide * 26, y + u * wide * 26), (x + v * wide * 26, y - u * wide * 26)],
                        0.034,
                        kit.extra,
                        0,
                    )
    elif kit.tail in ("puff", "stub"):
        pen.oval(0.05 * f, 0.0, 0.075, 0.075, WHITE if kit.tail == "puff" else BLACK)
    elif kit.tail:
        pen.limb(
            [(0, 0.02), (0.13 * f, -0.02), (0.18 * f, -0.13 + wag)],
            0.055 if kit.tail == "short" else 0.03,
            kit.skin,
        )


def _torso(pen: Pen, scene: Scene, kit: Kit, j: dict) -> None:
    """Body and what is on its front."""
    (nx, ny), f = j["neck"], 0.03 * scene.pose.facing
    pen.blob(
        [
            (nx - 0.13, ny),
            (nx + 0.13, ny),
            (nx + 0.155, -0.1),
            (0.135, 0.08),
            (-0.135, 0.08),
            (nx - 0.155, -0.1),
        ],
        kit.top,
    )
    at = (nx * 0.5 + f, ny * 0.5)
    pink = scene.attribute == "pink clothes"
    if pink:
        pen.limb([(nx + f, ny + 0.04), (f, 0.05)], 0.03, HOT_PINK, 0)
        pen.limb([(-0.1, 0.05), (0.1, 0.05)], 0.035, HOT_PINK, 0)
        return
    if scene.subject in BELLIES:
        pen.oval(*at, 0.095, 0.115, BELLIES[scene.subject], line=0)
        if scene.subject == "tiger":
            for s in (-1, 1):
                for y in (-0.13, -0.06, 0.01):
                    pen.limb([(at[0] + s * 0.09, y), (at[0] + s * 0.14, y - 0.012)], 0.03, kit.extra, 0)
        if scene.subject == "puppy":
            pen.limb([(nx - 0.09, ny + 0.025), (nx + 0.09, ny + 0.025)], 0.045, (226, 40, 50), 0)
    elif scene.subject in ("man", "woman", "boy"):
        pen.limb([(nx + f, ny + 0.03), (f, 0.06)], 0.028, mix_int(kit.top, WHITE, 0.55), 0)
        pen.limb([(-0.12, 0.05), (0.12, 0.05)], 0.05, kit.bottom, 0)
    elif scene.subject == "spider man":
        for s in (-1, 1):
            pen.poly([(nx + s * 0.15, -0.13), (s * 0.15, 0.07), (s * 0.085, 0.07)], (30, 66, 200), line=0)
        pen.oval(*at, 0.03, 0.045, BLACK, line=0)
        for s in (-1, 1):
            pen.limb(
                [(at[0] - 0.07, at[1] - 0.05 * s), at, (at[0] + 0.07, at[1] - 0.05 * s)], 0.018, BLACK, 0
            )
    elif scene.subject == "wonder woman":
        pen.poly([(-0.12, 0.0), (0.12, 0.0), (0.19, 0.13), (-0.19, 0.13)], kit.bottom)
        pen.limb([(-0.12, 0.0), (0.12, 0.0)], 0.04, GOLD, 0)
        pen.poly(
            [(nx - 0.1, ny + 0.06), (nx + f, ny + 0.1), (nx + 0.1, ny + 0.06), (nx + f, ny + 0.16)],
            GOLD,
            line=0,
        )
    elif scene.subject == "iron man":
        pen.oval(at[0], at[1] - 0.02, 0.07, 0.07, GOLD, line=0)
        pen.oval(at[0], at[1] - 0.02, 0.05, 0.05, (190, 250, 255), line=0)
    elif scene.subject == "mickey mouse":
        pen.blob(
            [(-0.145, -0.06), (0.145, -0.06), (0.17, 0.11), (0.02, 0.11), (-0.02, 0.11), (-0.17, 0.11)],
            kit.bottom,
        )
        for s in (-1, 1):
            pen.oval(f + s * 0.05, 0.0, 0.025, 0.035, WHITE, line=0)
    elif scene.subject == "robot":
        pen.poly([(nx - 0.15, ny + 0.02), (nx + 0.15, ny + 0.02), (0.15, 0.08), (-0.15, 0.08)], kit.top)
        for k, c in enumerate((RED, GOLD, (120, 255, 120))):
            pen.oval(at[0] + 0.07 * (k - 1), at[1], 0.028, 0.028, c, line=0)
    elif scene.subject == "astronaut":
        pen.limb([(-0.12, 0.05), (0.12, 0.05)], 0.035, (250, 130, 30), 0)
        pen.poly(
            [
                (at[0] - 0.07, at[1] - 0.04),
                (at[0] + 0.07, at[1] - 0.04),
                (at[0] + 0.07, at[1] + 0.04),
                (at[0] - 0.07, at[1] + 0.04),
            ],
            (60, 130, 230),
            line=0,
        )


def mix_int(a: Color, b: Color, share: float) -> Color:
    return tuple(int(v) for v in mix(a, b, share))


# ------------------------------------------------------------------------------------------------ heads
# A head is drawn about its centre with its radius as unit; f shifts the face to where it looks.


def _head(pen: Pen, scene: Scene, kit: Kit) -> None:
    f = 0.26 * scene.pose.facing
    if kit.head == "animal":
        _animal_head(pen, scene, kit, f)
    else:
        HEADS[kit.head](pen, scene, kit, f)
    _worn(pen, scene.attribute, f)


def _eyes(
    pen: Pen, f: float, y: float = 0.0, apart: float = 0.36, r: float = 0.135, color: Color = BLACK
) -> None:
    for s in (-1, 1):
        pen.oval(f + s * apart, y, r, r * 1.3, color, line=0)
        pen.oval(f + s * apart + 0.045, y - 0.07, r * 0.36, r * 0.36, WHITE, line=0)


def _long_hair(pen: Pen, pose: Pose, hair: Color) -> None:
    sway = 0.25 * pose.ears - 0.25 * pose.facing
    pen.blob(
        [
            (-0.9, -0.8),
            (0.9, -0.8),
            (1.2, 0.2),
            (1.15 + sway, 1.55),
            (sway, 1.3),
            (-1.15 + sway, 1.55),
            (-1.2, 0.2),
        ],
        hair,
    )


def _human(pen: Pen, scene: Scene, kit: Kit, f: float) -> None:
    who = scene.subject
    pen.oval(0, 0, 0.96, 0.98, kit.skin)
    _eyes(pen, f, 0.12)
    pen.limb([(f - 0.2, 0.5), (f, 0.57), (f + 0.2, 0.5)], 0.11, (196, 60, 60), 0)
    if who == "boy":
        pen.blob(
            [(-1.05, -0.15), (-0.95, -0.95), (0, -1.25), (0.95, -0.95), (1.05, -0.15), (0, -0.3)], kit.bottom
        )
        side = 1.0 if f >= 0 else -1.0
        reach = f / 0.26
        pen.limb([(0.9 * reach - 0.3 * side, -0.28), (1.05 * reach + 0.2 * side, -0.24)], 0.24, (20, 104, 56))
        return
    pen.blob(
        [
            (-1.12, 0.35),
            (-1.1, -0.8),
            (0, -1.22),
            (1.1, -0.8),
            (1.12, 0.35),
            (0.85, -0.2),
            (f + 0.3, -0.5),
            (f - 0.3, -0.35),
            (-0.85, -0.2),
        ],
        kit.extra,
    )
    if who == "wonder woman":
        pen.limb([(-0.85, -0.38), (f, -0.5), (0.85, -0.38)], 0.2, GOLD, 0)
        pen.poly([(f - 0.2, -0.5), (f, -0.8), (f + 0.2, -0.5), (f, -0.3)], GOLD, line=0)
        pen.oval(f, -0.5, 0.1, 0.1, RED, line=0)


def _spider(pen: Pen, scene: Scene, kit: Kit, f: float) -> None:
    pen.oval(0, 0, 0.92, 1.02, kit.skin)
    for a in (-2.4, -1.57, -0.74, 0.74, 1.57, 2.4):
        pen.limb([(f, 0.05), (0.88 * cos(a), 0.98 * sin(a))], 0.07, (120, 8, 20), 0)
    for s in (-1, 1):
        for grow, color in ((0.12, BLACK), (0, WHITE)):
            g = grow
            eye = [
                (f + s * (0.08 - g), 0.22 + g),
                (f + s * (0.2 - g), -0.02 - g),
                (f + s * (0.8 + g), -0.36 - g * 1.4),
                (f + s * (0.72 + g), 0.2 + g),
                (f + s * 0.4, 0.42 + g),
            ]
            pen.blob(eye, color, line=0)


def _iron(pen: Pen, scene: Scene, kit: Kit, f: float) -> None:
    pen.blob([(-1, -0.9), (0, -1.3), (1, -0.9), (1.05, 0.5), (0.6, 1.1), (-0.6, 1.1), (-1.05, 0.5)], kit.skin)
    pen.blob(
        [
            (f - 0.62, -0.5),
            (f, -0.34),
            (f + 0.62, -0.5),
            (f + 0.66, 0.5),
            (f + 0.34, 0.95),
            (f - 0.34, 0.95),
            (f - 0.66, 0.5),
        ],
        kit.extra,
        line=0.7,
    )
    for s in (-1, 1):
        pen.limb([(f + s * 0.18, 0.1), (f + s * 0.46, 0.04)], 0.17, (235, 255, 255), 0)
    pen.limb([(f - 0.2, 0.62), (f + 0.2, 0.62)], 0.1, (150, 90, 10), 0)


def _mickey(pen: Pen, scene: Scene, kit: Kit, f: float) -> None:
    for s in (-1, 1):
        pen.oval(s * 0.86 - 0.3 * f, -0.86 + 0.06 * scene.pose.ears * s, 0.56, 0.56, kit.skin)
    pen.oval(0, 0, 0.98, 0.96, kit.skin)
    for s in (-1, 1):
        pen.oval(f + s * 0.32, -0.1, 0.38, 0.56, TAN, line=0)
    pen.oval(f, 0.42, 0.74, 0.46, TAN, line=0)
    _eyes(pen, f, -0.08, 0.22, 0.12)
    pen.oval(f * 1.3, 0.28, 0.2, 0.14, BLACK, line=0)
    pen.limb([(f - 0.35, 0.5), (f, 0.68), (f + 0.35, 0.5)], 0.1, (150, 20, 30), 0)


def _robot(pen: Pen, scene: Scene, kit: Kit, f: float) -> None:
    pen.limb([(0, -0.8), (0.12 * scene.pose.ears, -1.25)], 0.14, (90, 100, 110))
    pen.oval(0.12 * scene.pose.ears, -1.32, 0.19, 0.19, kit.extra)
    for s in (-1, 1):
        pen.poly([(s * 0.9, -0.25), (s * 1.2, -0.25), (s * 1.2, 0.3), (s * 0.9, 0.3)], kit.hands)
    pen.poly([(-1, -0.88), (1, -0.88), (1, 0.85), (-1, 0.85)], kit.skin)
    pen.poly([(f - 0.7, -0.5), (f + 0.7, -0.5), (f + 0.7, 0.25), (f - 0.7, 0.25)], (12, 50, 66), line=0)
    for s in (-1, 1):
        pen.oval(f + s * 0.34, -0.12, 0.22, 0.24, (255, 236, 60), line=0)
    pen.limb([(f - 0.4, 0.55), (f + 0.4, 0.55)], 0.15, (12, 50, 66), 0)


def _astronaut(pen: Pen, scene: Scene, kit: Kit, f: float) -> None:
    for s in (-1, 1):
        pen.oval(s * 0.98, 0.1, 0.2, 0.34, (250, 130, 30))
    pen.oval(0, 0, 1.08, 1.06, (250, 251, 255))
    pen.oval(f * 0.8, 0.08, 0.8, 0.68, (250, 130, 30), line=0.7)
    pen.oval(f * 0.8, 0.08, 0.7, 0.58, (24, 80, 200), line=0)
    pen.oval(f * 0.8 - 0.26, -0.14, 0.22, 0.14, (170, 220, 255), -0.5, line=0)


HEADS = dict(human=_human, spider=_spider, iron=_iron, mickey=_mickey, robot=_robot, astronaut=_astronaut)


def _ears(pen: Pen, who: str, kit: Kit, f: float, bob: float) -> None:
    for s in (-1, 1):
        x = s * 0.74 - 0.3 * f
        if who == "rabbit":
            tip = (s * (0.62 + 0.16 * bob) - 0.6 * f, -2.05 + 0.12 * bob * s)
            pen.limb([(s * 0.42 - 0.2 * f, -0.7), (s * 0.5 - 0.3 * f, -1.3), tip], 0.46, kit.skin)
            pen.limb([(s * 0.42 - 0.2 * f, -0.8), (s * 0.5 - 0.3 * f, -1.3), tip], 0.2, kit.extra, 0)
        elif who == "cat":
            tip = (s * 0.92 - 0.3 * f + 0.06 * bob, -1.42)
            pen.poly([(s * 0.2, -0.8), tip, (s * 1.02, -0.2)], kit.skin)
            pen.poly([(s * 0.42, -0.8), (tip[0] * 0.96, -1.14), (s * 0.88, -0.5)], kit.extra, line=0)
        elif who == "puppy":
            continue
        else:
            r = 0.44 if who == "panda" else 0.36
            color = kit.extra if who == "panda" else kit.skin
            pen.oval(x, -0.76 + 0.05 * bob * s, r, r, color)
            if who != "panda":
                pen.oval(
                    x,
                    -0.76 + 0.05 * bob * s,
                    r * 0.55,
                    r * 0.55,
                    kit.extra if who == "raccoon" else CREAM,
                    line=0,
                )


def _animal_head(pen: Pen, scene: Scene, kit: Kit, f: float) -> None:
    who, bob = scene.subject, scene.pose.ears
    _ears(pen, who, kit, f, bob)
    pen.oval(0, 0, 1.06, 0.96, kit.skin)
    if who == "panda":
        for s in (-1, 1):
            pen.oval(f + s * 0.42, 0.0, 0.27, 0.34, BLACK, s * 0.5, line=0)
    if who == "raccoon":
        pen.blob(
            [
                (f - 1.0, -0.05),
                (f - 0.4, -0.32),
                (f, -0.05),
                (f + 0.4, -0.32),
                (f + 1.0, -0.05),
                (f + 0.8, 0.4),
                (f, 0.22),
                (f - 0.8, 0.4),
            ],
            kit.extra,
            line=0,
        )
        for s in (-1, 1):
            pen.limb([(f + s * 0.25, -0.42), (f + s * 0.75, -0.34)], 0.13, CREAM, 0)
    if who == "tiger":
        for s in (-1, 1):
            pen.poly([(s * 1.02, -0.25), (s * 0.6, -0.1), (s * 1.06, 0.02)], kit.extra, line=0)
            pen.poly([(s * 1.0, 0.2), (s * 0.6, 0.26), (s * 0.9, 0.45)], kit.extra, line=0)
            pen.limb([(f + s * 0.34, -0.8), (f + s * 0.28, -0.5)], 0.15, kit.extra, 0)
        pen.limb([(f, -0.9), (f, -0.5)], 0.15, kit.extra, 0)
    pale = BELLIES[who]
    pen.oval(f * 1.2, 0.42, 0.5, 0.38, pale, line=0)
    if who == "panda" or who == "raccoon":
        for s in (-1, 1):
            pen.oval(f + s * 0.38, 0.02, 0.13, 0.16, WHITE, line=0)
            pen.oval(f + s * 0.38 + 0.2 * f, 0.03, 0.08, 0.1, BLACK, line=0)
    else:
        if who == "cat":
            for s in (-1, 1):
                pen.oval(f + s * 0.42, -0.06, 0.24, 0.26, (190, 240, 90), line=0)
        _eyes(pen, f, -0.06, 0.42, 0.11 if who == "cat" else 0.15)
    pen.oval(f * 1.35, 0.26, 0.2, 0.14, (230, 90, 120) if who in ("cat", "rabbit") else BLACK, line=0)
    pen.limb([(f * 1.3 - 0.2, 0.55), (f * 1.3, 0.62), (f * 1.3 + 0.2, 0.55)], 0.09, (120, 50, 50), 0)
    if who == "puppy":
        for s in (-1, 1):
            tip = (s * (1.12 + 0.14 * bob) - 0.3 * f, 0.72 - 0.18 * bob)
            pen.limb([(s * 0.8 - 0.3 * f, -0.62), (s * 1.1 - 0.3 * f, 0.05), tip], 0.46, kit.extra)


def _worn(pen: Pen, attribute: str, f: float) -> None:
    """Hats and glasses."""
    if attribute == "cowboy hat":
        brown, dark = (156, 90, 34), (206, 40, 40)
        pen.blob(
            [
                (-1.75, -0.95),
                (-1.2, -0.55),
                (0, -0.42),
                (1.2, -0.55),
                (1.75, -0.95),
                (1.0, -0.8),
                (-1.0, -0.8),
            ],
            brown,
        )
        pen.blob(
            [
                (-0.85, -0.6),
                (-0.72, -1.5),
                (-0.3, -1.62),
                (0, -1.42),
                (0.3, -1.62),
                (0.72, -1.5),
                (0.85, -0.6),
            ],
            brown,
        )
        pen.limb([(-0.68, -0.78), (0, -0.7), (0.68, -0.78)], 0.2, dark, 0)
    elif attribute == "birthday hat":
        pen.poly([(-0.72, -0.62), (0, -2.0), (0.72, -0.62), (0, -0.5)], (255, 226, 40))
        for y, w in ((-0.85, 0.5), (-1.3, 0.27)):
            pen.limb([(-w, y), (w, y + 0.02)], 0.2, (40, 110, 240), 0)
        pen.oval(0, -1.98, 0.25, 0.25, (240, 40, 90))
    elif attribute == "sunglasses":
        for s in (-1, 1):
            pen.blob(
                [(f + s * 0.06, -0.28), (f + s * 0.86, -0.3), (f + s * 0.84, 0.3), (f + s * 0.3, 0.36)],
                (16, 14, 22),
            )
            pen.limb([(f + s * 0.44 - 0.08, 0.12), (f + s * 0.44 + 0.1, -0.1)], 0.1, (150, 200, 240), 0)
        pen.limb([(f - 0.9, -0.18), (f + 0.9, -0.18)], 0.16, (16, 14, 22), 0)


# --------------------------------------------------------------------------------- vehicles and the table


def _vehicle(pen: Pen, scene: Scene) -> None:
    r = rig(scene)
    body, j = r.pen(pen), r.local
    (_jeep if scene.subject == "jeep" else _sports_car)(body)
    for name in ("front_wheel", "back_wheel"):
        size = 0.145 if scene.subject == "jeep" else 0.125
        _wheel(body.at(j[name], size, 2 * pi * scene.pose.wheel))


def _wheel(pen: Pen) -> None:
    pen.oval(0, 0, 1, 1, (34, 32, 38))
    pen.oval(0, 0, 0.66, 0.66, (222, 226, 234), line=0)
    for k in range(5):
        a = 2 * pi * k / 5
        pen.limb([(0, 0), (0.6 * cos(a), 0.6 * sin(a))], 0.2, (60, 60, 76), 0)


def _jeep(pen: Pen) -> None:
    green, dark, glass = (56, 140, 60), (34, 92, 42), (190, 232, 250)
    pen.oval(-0.54, -0.08, 0.07, 0.13, (34, 32, 38))
    pen.poly([(-0.46, -0.1), (-0.44, -0.36), (0.14, -0.36), (0.24, -0.1)], (244, 232, 200))
    pen.poly([(-0.38, -0.1), (-0.37, -0.28), (-0.16, -0.28), (-0.16, -0.1)], glass, line=0)
    pen.poly([(-0.1, -0.1), (-0.1, -0.28), (0.09, -0.28), (0.16, -0.1)], glass, line=0)
    pen.poly([(-0.5, 0.17), (-0.5, -0.11), (0.5, -0.11), (0.53, 0.17)], green)
    pen.poly([(-0.5, 0.17), (-0.5, 0.10), (0.53, 0.10), (0.53, 0.17)], dark, line=0)
    pen.limb([(0.06, -0.05), (0.06, 0.06)], 0.03, dark, 0)
    pen.oval(0.47, -0.03, 0.05, 0.055, (255, 240, 140))
    for x in (-0.32, 0.32):
        pen.oval(x, 0.15, 0.19, 0.15, dark)


def _sports_car(pen: Pen) -> None:
    red, glass = (232, 26, 36), (64, 150, 230)
    pen.poly([(-0.56, -0.10), (-0.38, -0.10), (-0.38, -0.16), (-0.58, -0.16)], (150, 10, 24))
    pen.blob([(-0.44, -0.02), (-0.2, -0.22), (0.06, -0.22), (0.3, -0.0)], red)
    pen.poly([(-0.27, -0.05), (-0.15, -0.17), (0.02, -0.17), (0.18, -0.05)], glass, line=0)
    pen.blob([(-0.6, 0.16), (-0.6, -0.08), (-0.3, -0.07), (0.2, -0.07), (0.56, 0.0), (0.64, 0.17)], red)
    pen.limb([(-0.5, 0.06), (0.48, 0.06)], 0.035, (255, 240, 240), 0)
    pen.oval(0.5, 0.03, 0.05, 0.03, (255, 240, 140), 0.2, line=0)


def _eater(pen: Pen, scene: Scene) -> None:
    """An animal behind a table."""
    r, kit = rig(scene), _dress(scene)
    body, j = r.pen(pen), r.local
    body.at((0, -0.17), 1)
    _tail(body.at((-0.1 * scene.pose.facing, 0.05), 1.1), scene, kit)
    (nx, ny) = j["neck"]
    body.blob(
        [
            (nx - 0.16, ny - 0.04),
            (nx + 0.16, ny - 0.04),
            (0.25, 0.12),
            (0.24, 0.3),
            (-0.24, 0.3),
            (-0.25, 0.12),
        ],
        kit.top,
    )
    if scene.attribute == "pink clothes":
        body.limb([(nx, ny + 0.05), (0, 0.2)], 0.035, HOT_PINK, 0)
    else:
        body.oval(nx * 0.5, 0.05, 0.13, 0.15, BELLIES[scene.subject], line=0)
    _head(body.at(j["head"], 0.25, r.nod), scene, kit)
    table = pen.at((0.5 - 0.5 * scene.camera.zoom, 0.5 - 0.5 * scene.camera.zoom), scene.camera.zoom)
    table.poly([(0.02, 0.775), (0.98, 0.775), (1.08, 0.92), (-0.08, 0.92)], (222, 168, 108))
    table.poly([(-0.08, 0.92), (1.08, 0.92), (1.08, 1.2), (-0.08, 1.2)], (158, 98, 58))
    fx, fy = j["food"]
    body.oval(fx, fy + 0.15, 0.25, 0.06, (250, 252, 255))
    for side, s in (("left", -1), ("right", 1)):
        hx, hy = j[f"{side}_hand"]
        body.limb([(s * 0.22, 0.04), (s * 0.27, 0.11), (hx, hy)], 0.1, kit.arms)
        body.oval(hx, hy, 0.065, 0.055, kit.hands)


def _food(pen: Pen, scene: Scene) -> None:
    """What is on the plate; bitten away from the top by drawing holes."""
    r = rig(scene)
    pen = r.pen(pen).at(r.local["food"], 0.2)
    bites = ((-0.35, -0.75), (0.4, -0.7), (0.0, -0.15))
    if scene.food == "watermelon":
        arc = [(1.15 * cos(a / 10 * pi), -0.35 + 1.1 * sin(a / 10 * pi)) for a in range(11)]
        for share, color in ((1.0, (30, 140, 60)), (0.86, (220, 246, 190)), (0.78, (240, 50, 70))):
            pen.poly([(x * share, -0.35 + (y + 0.35) * share) for x, y in arc], color, line=share == 1.0)
        for x, y in ((-0.5, -0.1), (0, -0.1), (0.5, -0.1), (-0.25, 0.2), (0.25, 0.2)):
            pen.oval(x, y, 0.07, 0.1, BLACK, line=0)
        bites = ((-0.45, -0.5), (0.45, -0.5), (0.0, -0.2))
    elif scene.food == "orange":
        pen.oval(0, 0.0, 0.82, 0.82, (255, 150, 0))
        pen.oval(-0.3, -0.28, 0.2, 0.15, (255, 206, 110), -0.6, line=0)
        pen.blob([(0, -0.75), (0.3, -1.15), (0.75, -1.05), (0.4, -0.75)], (40, 160, 60))
    else:
        pen.oval(0, 0.3, 1.2, 0.62, (190, 110, 50))
        pen.oval(0, 0.26, 1.02, 0.5, (255, 214, 80), line=0)
        for x, y in ((-0.55, 0.2), (0.0, 0.02), (0.55, 0.2), (-0.2, 0.48), (0.32, 0.5)):
            pen.oval(x, y, 0.2, 0.12, (214, 40, 36), line=0)
        bites = ((-0.5, -0.15), (0.5, -0.15), (0.0, 0.1))
    for k, (x, y) in enumerate(bites):
        size = 0.62 * min(max(3 * scene.pose.bite - k, 0.0), 1.0)
        if size > 0.02:
            dots = pen.place([(x + size * u, y + size * v) for u, v in CIRCLE])
            pen.canvas.polygon(dots, (0, 0, 0, 0))


# ---------------------------------------------------------------------------------------------- styles

Layer = tuple[np.ndarray, np.ndarray]  # colour times cover (size, size, 3), cover (size, size, 1)


def _layer(scene: Scene, size: int, far: bool, *parts) -> Layer:
    """Draws parts on a transparent sheet, large, and averages it down."""
    side = size * SUPER
    sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = Pen(ImageDraw.Draw(sheet), side, scene, far)
    for part in parts:
        part(pen)
    flat = np.asarray(sheet.reduce(SUPER), np.float32)
    return flat[..., :3], flat[..., 3:] / 255


def _over(under: np.ndarray, layer: Layer) -> np.ndarray:
    return layer[0] + under * (1 - layer[1])


def _blur(image: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur of an array of colours (0 .. 255) or of cover (0 .. 1)."""
    if image.shape[-1] == 1:
        soft = Image.fromarray((image[..., 0] * 255).astype(np.uint8)).filter(
            ImageFilter.GaussianBlur(radius)
        )
        return np.asarray(soft, np.float32)[..., None] / 255
    return np.asarray(Image.fromarray(_bytes(image)).filter(ImageFilter.GaussianBlur(radius)), np.float32)


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)


def _relief(cover: np.ndarray) -> np.ndarray:
    """Light from the upper left on a rounded figure: above 0 on the lit side, below on the other."""
    size = cover.shape[0]
    soft, d = _blur(cover, size / 22), max(size // 36, 1)
    wide = np.pad(soft, ((d, d), (d, d), (0, 0)), "edge")
    return (wide[2 * d :, 2 * d :] - wide[: -2 * d, : -2 * d]) * cover


@lru_cache(maxsize=200)
def _sky(background: str, style: str, size: int) -> np.ndarray:
    top, low = (
        paint(c, style, True, "sky night" if background == "night" else "") for c in SKIES[background]
    )
    t = np.clip(np.linspace(0, 1.6, size, dtype=np.float32), 0, 1)[:, None, None]
    sky = np.asarray(top, np.float32) * (1 - t) + np.asarray(low, np.float32) * t
    return np.broadcast_to(sky, (size, size, 3)).copy()


@lru_cache(maxsize=8)
def _screen(kind: str, size: int) -> np.ndarray:
    """Fixed patterns of the paper: dots of the comic, hatching of the sketch, blotches and border."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) * (128 / size)
    if kind == "dots":
        u, v = (x + y) / 10, (x - y) / 10
        d = np.hypot(u - np.round(u), v - np.round(v)) * 10
        out = np.clip(3.2 - d + 0.5, 0, 1)
    elif kind == "rays":
        a = np.arctan2(y - 70, x - 64) / (2 * pi) * 14
        out = np.clip((np.abs(a - np.floor(a) - 0.5) - 0.25) * np.hypot(x - 64, y - 70) / 4 + 0.5, 0, 1)
    elif kind == "hatch":
        d = (x + y) / 7
        out = np.clip(1.9 - np.abs(d - np.round(d)) * 7, 0, 1)
    else:
        rng = np.random.default_rng(5)
        cells = Image.fromarray(rng.integers(0, 255, (7, 7), np.uint8)).resize(
            (size, size), Image.Resampling.BICUBIC
        )
        out = np.asarray(cells, np.float32) / 255
        if kind == "border":
            edge = np.minimum(np.minimum(x, 127 - x), np.minimum(y, 127 - y)) + 9 * (out - 0.5)
            out = np.clip((edge - 2) / 7, 0, 1)
    return out[..., None].astype(np.float32)


def draw(scene: Scene, size: int = 128) -> Image.Image:
    """The picture of a scene, RGB, size by size pixels."""
    zoom = scene.camera.zoom
    ground = dict(skiing=_slope, surfing=_water, moving=_road, eating=_floor)[scene.action]

    def behind(pen: Pen) -> None:
        pen = pen.at((0.5 - 0.5 * zoom, 0.5 - 0.5 * zoom), zoom)
        BACKDROPS[scene.background](pen)
        ground(pen)

    actor = dict(moving=_vehicle, eating=_eater).get(scene.action, _figure)
    layers = [_layer(scene, size, True, behind), _layer(scene, size, False, lambda pen: actor(pen, scene))]
    if scene.food:
        layers.append(_layer(scene, size, False, lambda pen: _food(pen, scene)))
    finish = FINISHES[scene.style]
    return Image.fromarray(_bytes(finish(_sky(scene.background, scene.style, size), *layers)))


def _finish_plain(sky, back: Layer, *fronts: Layer) -> np.ndarray:
    out = _over(sky, back)
    for color, cover in fronts:
        out = _over(out, (color * (1 + 0.55 * _relief(cover)), cover))
    return out


def _finish_cartoon(sky, back: Layer, *fronts: Layer) -> np.ndarray:
    out = _over(sky, back)
    for front in fronts:
        out = _over(out, front)
    return out


def _finish_comic(sky, back: Layer, *fronts: Layer) -> np.ndarray:
    size = len(sky)
    rays = _screen("rays", size)
    out = _over(sky * (1 - 0.35 * rays) + np.float32([255, 232, 60]) * 0.35 * rays, back)
    out = out * (1 - 0.34 * _screen("dots", size) * np.float32([0.6, 1, 0.7]))
    for color, cover in fronts:
        shade = np.clip((-_relief(cover) - 0.22) * 14, 0, 1)
        out = _over(out, (color * (1 - 0.36 * shade), cover))
    return out


def _finish_sketch(sky, back: Layer, *fronts: Layer) -> np.ndarray:
    size = len(sky)
    hatch = _screen("hatch", size)
    out = _over(sky, back)
    out = out * (1 - 0.22 * hatch * np.clip(_screen("blotch", size) * 5 - 2.4, 0, 1))
    for color, cover in fronts:
        shade = np.clip((-_relief(cover) - 0.12) * 8, 0, 1)
        out = _over(out, (color * (1 - 0.4 * shade * hatch), cover))
    return out


def _finish_watercolor(sky, back: Layer, *fronts: Layer) -> np.ndarray:
    size = len(sky)
    blotch, border = _screen("blotch", size), _screen("border", size)
    out = _blur(_over(sky, back), size / 64) * (1 + 0.16 * (blotch - 0.5))
    out = out * border + np.float32([255, 253, 248]) * (1 - border)
    for color, cover in fronts:
        soft = np.clip(_blur(cover, size / 110), 0, 1)
        tone = _blur(color, size / 110) / np.maximum(soft, 0.02)
        edge = np.clip(1 - _blur(cover, size / 40), 0, 1)
        tone = tone * (1 - 0.35 * edge) * (1 + 0.24 * (blotch[::-1] - 0.5)) + 26 * (blotch - 0.4)
        out = np.clip(tone, 0, 255) * soft + out * (1 - soft)
    return out


def _finish_pixel(sky, back: Layer, *fronts: Layer) -> np.ndarray:
    size = len(sky)
    side = max(size // 4, 1) if size < 128 else 32

    def small(image):
        return np.stack(
            [
                np.asarray(Image.fromarray(image[..., k]).resize((side, side), Image.Resampling.BOX))
                for k in range(image.shape[-1])
            ],
            -1,
        )

    out = small(_over(sky, back))
    for color, cover in fronts:
        color, cover = small(np.ascontiguousarray(color)), small(np.ascontiguousarray(cover))
        out = np.where(cover >= 0.5, color / np.maximum(cover, 0.5), out)
    out = np.round(out / 42.5) * 42.5
    return np.asarray(Image.fromarray(_bytes(out)).resize((size, size), Image.Resampling.NEAREST), np.float32)


FINISHES = {
    "plain": _finish_plain,
    "cartoon": _finish_cartoon,
    "comic": _finish_comic,
    "sketch": _finish_sketch,
    "watercolor": _finish_watercolor,
    "pixel art": _finish_pixel,
}


def sheet(rows: list[list[Scene]], size: int = 128) -> Image.Image:
    """A contact sheet."""
    out = Image.new("RGB", (size * max(map(len, rows)), size * len(rows)), WHITE)
    for i, row in enumerate(rows):
        for k, scene in enumerate(row):
            out.paste(draw(scene, size), (k * size, i * size))
    return out


def main(folder: str) -> None:
    """Writes a contact sheet and a film."""
    import random

    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    sheet([[random_scene(rng) for _ in range(10)] for _ in range(8)]).save(out / "sheet.png")
    film = clip(Scene(), 16) + clip(Scene("panda", "surfing", background="beach"), 16)
    frames = [draw(scene, 256) for scene in film]
    frames[0].save(out / "film.gif", save_all=True, append_images=frames[1:], duration=100, loop=0)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "/tmp/world")

"""The drawn world: small pictures, and the captions that go with them, made by rule.

Every picture is described by a `Scene` (who does what, where, in which style, in which pose, seen
by which camera) and drawn by `draw`. Pose and camera are plain numbers, so a short film is a list
of scenes (`clip`), and the same film with another hero is the same list with one field replaced
(`edit`).

Coordinates are shares of the frame: (0, 0) is the top left corner, (1, 1) the bottom right one.
Random generators may be `random.Random` or a numpy `Generator`: only their `.random()` is used.
"""

from __future__ import annotations

import hashlib
import random
import re
import sys
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import ceil, cos, floor, hypot, pi, sin, sqrt
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

NAMES = ("spider man", "wonder woman", "iron man", "mickey mouse")  # proper names take no article
PEOPLE = ("man", "woman", "boy", *NAMES, "robot", "astronaut")
ANIMALS = ("panda", "raccoon", "rabbit", "tiger", "puppy", "cat")
VEHICLES = ("jeep", "sports car")
EATERS = ("rabbit", "cat", "puppy", "tiger")
SUBJECTS = PEOPLE + ANIMALS + VEHICLES
ACTIONS = ("skiing", "surfing", "moving", "eating")
FOODS = ("watermelon", "orange", "pizza")
BACKGROUNDS = ("plain", "snow", "beach", "desert", "grass", "city", "sunset", "night")
ATTRIBUTES = ("none", "cowboy hat", "birthday hat", "sunglasses", "pink clothes")
STYLES = ("plain", "cartoon", "comic", "sketch", "watercolor", "pixel art")
DOERS = {
    "skiing": PEOPLE + ANIMALS,
    "surfing": PEOPLE + ANIMALS,
    "moving": VEHICLES,
    "eating": EATERS,
}

SUPER = 3  # pictures are drawn this many times too large, then averaged down
HEIGHT = 0.68  # height of a standing figure of scale 1, as a share of the frame
TILT = 0.4  # a figure with lean 1 is turned by this many radians
Color = tuple[int, int, int]
Point = tuple[float, float]

# ---- scenes


@dataclass(frozen=True)
class Pose:
    """Where the subject is and how it holds itself.  Lengths are shares of the frame."""

    x: float = 0.5  # hip of a figure, centre of a vehicle's body, chest of an eater
    y: float = 0.65
    scale: float = 1.0  # 1 is the usual size; about 0.9 .. 1.06
    crouch: float = 0.3  # 0 stands upright, 1 squats low
    lean: float = (
        0.0  # -1 .. 1, tilt to the left .. right (see TILT; a vehicle tilts a quarter of that)
    )
    stride: float = 0.0  # -1 .. 1, right foot ahead .. left foot ahead
    arms: float = 0.0  # -1 .. 1, left arm up and right arm down .. the other way round
    facing: float = 1.0  # -1 looks and travels to the left, 0 to the viewer, 1 to the right
    ears: float = 0.0  # -1 .. 1, bobbing of ears, hair and tail
    dip: float = 0.0  # 0 .. 1, an eater's head from upright down to the food
    bite: float = 0.0  # 0 .. 1, share of the food already eaten
    wheel: float = 0.0  # turns made by the wheels of a vehicle


@dataclass(frozen=True)
class Camera:
    """Follows the subject: panning scrolls what is behind, zooming enlarges everything."""

    pan: float = 0.0  # frame widths travelled to the right; far things scroll less than near ones
    zoom: float = 1.0  # magnification about the middle of the frame; about 0.93 .. 1.1


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
    """True for one in ten combinations of subject, background, style: never shown in training."""
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
    able = [a for a in ACTIONS if "subject" not in fixed or fixed["subject"] in DOERS[a]]
    able = ["eating"] if fixed.get("food") else able
    weighted = [a for a in able for _ in range({"moving": 3, "eating": 4}.get(a, 7))]
    for _ in range(2000 if weighted else 0):
        action = fixed.get("action") or pick(rng, weighted)
        made = {
            "action": action,
            "subject": pick(rng, DOERS.get(action, SUBJECTS)),
            "food": pick(rng, FOODS) if action == "eating" else "",
            "attribute": "none"
            if action == "moving" or rng.random() < 0.5
            else pick(rng, ATTRIBUTES[1:]),
            "background": "plain" if rng.random() < 0.15 else pick(rng, BACKGROUNDS),
            "style": "plain" if rng.random() < 0.25 else pick(rng, STYLES),
            "pose": random_pose(action, rng),
            "camera": Camera(span(rng, -1.5, 1.5), span(rng, 0.93, 1.1)),
            "seed": int(rng.random() * 10000),
        }
        try:
            scene = check(Scene(**(made | fixed)))
        except ValueError:
            continue
        if allow_held_out or not held_out(scene):
            return scene
    raise ValueError(f"there is no scene, or none that may be trained on, with {fixed}")


# ---- motions


def stand(x: float, ground: float, scale: float, crouch: float, lean: float, **rest) -> Pose:
    """A figure standing on the ground, which is at the given height of the frame."""
    tall = HEIGHT * scale * _leg(crouch)
    return Pose(
        x + sin(TILT * lean) * tall, ground - cos(TILT * lean) * tall, scale, crouch, lean, **rest
    )


def random_pose(action: str, rng) -> Pose:
    """Any pose that some motion of the action may reach."""
    side, scale, lean = 1.0 if rng.random() < 0.6 else -1.0, span(rng, 0.9, 1.04), span(rng, -1, 1)
    free = {"arms": span(rng, -1, 1), "ears": span(rng, -1, 1)}
    if action == "moving":
        x, y, wheel = span(rng, 0.4, 0.6), span(rng, 0.64, 0.68), span(rng, 0, 1)
        return Pose(x, y, scale, 0.0, lean * 0.8, facing=side, wheel=wheel)
    if action == "eating":
        free |= {"facing": side, "dip": span(rng, 0, 1), "bite": span(rng, 0, 0.95)}
        return Pose(span(rng, 0.44, 0.56), span(rng, 0.66, 0.69), scale, 0.0, lean, **free)
    free |= {"stride": span(rng, -1, 1), "crouch": span(rng, 0, 1), "scale": scale, "lean": lean}
    if action == "surfing":
        return stand(
            span(rng, 0.38, 0.62), span(rng, 0.78, 0.9), facing=side * span(rng, 0.6, 1), **free
        )
    return stand(span(rng, 0.32, 0.68), span(rng, 0.78, 0.87), facing=span(rng, -1, 1), **free)


@dataclass(frozen=True)
class Way:
    """How one trajectory differs from the next."""

    side: float = 1.0  # -1 or 1, direction
    phase: float = 0.0  # where in its cycle the motion starts, turns
    swing: float = 1.0  # size of the movements
    pace: float = 1.0  # speed
    middle: float = 0.5  # share of the frame
    scale: float = 0.98


def motion(action: str, frames: int, rng=None) -> list[tuple[Pose, Camera]]:
    """One smooth trajectory of the action; without rng the canonical one."""
    way, zooms = Way(), (0.98, 1.04)
    if rng is not None:
        ranges = ((0, 1), (0.7, 1.05), (0.75, 1.2), (0.46, 0.54), (0.92, 1.02))
        way = Way(1.0 if rng.random() < 0.6 else -1.0, *(span(rng, *ends) for ends in ranges))
        zooms = (span(rng, 0.95, 1.06), span(rng, 0.95, 1.06))
    step = {"skiing": _ski, "surfing": _surf, "moving": _drive, "eating": _eat}[action]
    reach = (
        {"skiing": 0.8, "surfing": 0.9, "moving": 1.1, "eating": 0.12}[action] * way.side * way.pace
    )
    times = [i / max(frames - 1, 1) for i in range(frames)]
    zoom = [zooms[0] + (zooms[1] - zooms[0]) * t * t * (3 - 2 * t) for t in times]
    return [(step(t, way), Camera(reach * t, z)) for t, z in zip(times, zoom)]


def _ski(t: float, w: Way) -> Pose:
    """Slalom: swings across the slope, leans into the turns, stands up between them."""
    a = 2 * pi * (1.1 * w.pace * t + w.phase) - 1.1
    lean, crouch = -0.8 * w.swing * sin(a) * w.side, 0.5 - 0.45 * cos(2 * a)
    free = {"stride": 0.8 * sin(a + 0.6), "arms": sin(a + 0.9) * w.side, "ears": sin(2 * a + 0.8)}
    x, ground, facing = (
        w.middle + 0.16 * w.swing * sin(a) * w.side,
        0.825 + 0.025 * cos(a),
        cos(a) * w.side,
    )
    return stand(x, ground, w.scale, crouch, lean, facing=facing, **free)


def _surf(t: float, w: Way) -> Pose:
    """Rides up and down the wave, low at the foot of it, balancing with the arms."""
    a = 2 * pi * (1.2 * w.pace * t + w.phase)
    ground, lean = 0.84 - 0.055 * w.swing * sin(a), -0.75 * w.swing * cos(a) * w.side
    free = {"stride": 0.6 * sin(a + 1), "arms": w.swing * sin(a + 2), "ears": sin(2 * a)}
    x, facing = w.middle + 0.09 * w.swing * sin(a - 0.9) * w.side, w.side * (0.8 + 0.18 * cos(a))
    return stand(x, ground, w.scale, 0.5 - 0.45 * sin(a + 0.7), lean, facing=facing, **free)


def _drive(t: float, w: Way) -> Pose:
    """Drives along the road, wheels turning, body bobbing."""
    a = 2 * pi * (2 * w.pace * t + w.phase)
    x, y = w.middle + w.side * w.swing * 0.18 * (t - 0.5), 0.66 + 0.012 * w.swing * sin(a)
    wheel = w.pace * 0.95 * t + w.phase
    return Pose(x, y, w.scale, 0.0, 0.6 * w.swing * sin(a + 1.2), facing=w.side, wheel=wheel)


def _eat(t: float, w: Way) -> Pose:
    """Bends down for a bite and comes up to chew, twice or three times."""
    a = 2.0 * w.pace * t + 0.1 + 0.3 * w.phase
    bite = (floor(a) + min(max(a - floor(a) - 0.3, 0) / 0.4, 1)) / 3
    dip, turn = (0.5 - 0.5 * cos(2 * pi * a)) * min(1.0, 0.85 + 0.2 * w.swing), sin(2 * pi * a)
    free = {"arms": 0.7 * turn, "ears": sin(2 * pi * a + 0.9), "dip": dip, "bite": min(bite, 0.95)}
    lean = (0.6 * w.swing * dip - 0.15) * w.side
    return Pose(w.middle - 0.03 * w.side, 0.675, w.scale, 0.0, lean, facing=w.side, **free)


def clip(scene: Scene, frames: int, rng=None) -> list[Scene]:
    """The scene in motion: one scene per frame."""
    return [
        replace(scene, pose=pose, camera=camera)
        for pose, camera in motion(scene.action, frames, rng)
    ]


def edit(scenes: list[Scene], **changes) -> list[Scene]:
    """The same motion with another subject, background, attribute, style ...; ValueError if
    invalid."""
    return [check(replace(scene, **changes)) for scene in scenes]


# ---- captions

PLACES = {"plain": "", "snow": " on the snow", "beach": " on the beach", "desert": " in the desert"}
PLACES |= {
    "grass": " on the grass",
    "city": " in the city",
    "sunset": " at sunset",
    "night": " at night",
}
ARTLESS = (*NAMES, "sunglasses", "pink clothes", "pixel art")


def _a(noun: str) -> str:
    """The noun with its article."""
    return noun if noun in ARTLESS else f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def caption(scene: Scene, rng=None) -> str:
    """The scene in words; with rng one of several wordings, all of which `parse` understands."""

    def some(*wordings):  # the first wording is the canonical one
        return wordings[0] if rng is None else pick(rng, wordings)

    who, worn, style = _a(scene.subject), _a(scene.attribute), scene.style
    if scene.subject not in NAMES:
        who = some(who, who, f"the {scene.subject}")
    front = style != "plain" and some(False, False, True)
    verb = "" if front else some(" is", " is", "")
    if scene.attribute != "none":
        verb = some(f", wearing {worn},{verb}", f" wearing {worn}{verb}", f" with {worn}{verb}")
    verb += " " + (some("moving", "driving") if scene.action == "moving" else scene.action)
    what = f" {_a(scene.food)} on the table" if scene.food else ""
    what += " on the road" if scene.action == "moving" else ""
    text = f"{who}{verb}{what}{PLACES[scene.background]}"
    if style == "plain":
        return text
    if front:
        return f"{_a(style)} of {text}"
    end = f", {style} style"
    return text + some(end, end, f", in {style} style", f", in the style of {_a(style)}")


@lru_cache(maxsize=1)
def _grammar() -> re.Pattern:
    def one(words) -> str:
        return "|".join(sorted(map(re.escape, words), key=len, reverse=True))

    styles = one(STYLES[1:])
    return re.compile(
        rf"(?:(?:an? )?(?P<front>{styles}) of )?(?:(?:an?|the) )?(?P<subject>{one(SUBJECTS)})"
        rf"(?:,? (?:wearing|with) (?:an? )?(?P<attribute>{one(ATTRIBUTES[1:])}),?)?"
        rf"(?: is)? (?P<action>{one(ACTIONS + ('driving',))})"
        rf"(?: (?:an? |the )?(?P<food>{one(FOODS)})(?: on the table)?)?(?P<road> on the road)?"
        rf"(?P<place>{one(p for p in PLACES.values() if p)})?"
        rf"(?:,? (?:in )?(?P<style>{styles}) style|,? in the style of (?:an? )?(?P<late>{styles}))?"
    )


def parse(text: str) -> dict[str, str]:
    """What a caption says: subject, action, food, attribute, background, style; or ValueError."""
    found = _grammar().fullmatch(" ".join(text.lower().strip(" .").split()))
    said = found.groupdict() if found else {}
    styles = [said[k] for k in ("front", "style", "late") if said.get(k)]
    if (
        not found
        or len(styles) > 1
        or (said["road"] and said["action"] not in ("moving", "driving"))
    ):
        raise ValueError(f"cannot read {text!r}")
    parts = {
        "subject": said["subject"],
        "action": said["action"].replace("driving", "moving"),
        "food": said["food"] or "",
        "attribute": said["attribute"] or "none",
        "background": next(
            name for name, phrase in PLACES.items() if phrase == (said["place"] or "")
        ),
        "style": (styles or ["plain"])[0],
    }
    check(Scene(**parts))
    return parts


# ---- pen


@dataclass(frozen=True)
class Look:
    """Outlines of a style, in pixels of a frame of 128."""

    near: float = 0.0  # around the figure
    far: float = 0.0  # around things in the backdrop
    ink: Color = (0, 0, 0)


LOOKS = {
    "cartoon": Look(2.0, 1.5, (44, 26, 56)),
    "comic": Look(2.5, 2.0, (8, 6, 14)),
    "sketch": Look(1.9, 1.5, (58, 52, 56)),
}
PAPER, WHITE, BLACK = (250, 246, 236), (255, 255, 255), (24, 20, 28)
LIGHTS = {  # what is left of red, green and blue
    ("ground", "sunset"): (1.0, 0.80, 0.74),
    ("ground", "night"): (0.46, 0.52, 0.84),
    ("figure", "sunset"): (1.0, 0.93, 0.90),
    ("figure", "night"): (0.88, 0.92, 1.0),
}
CIRCLE = [(cos(2 * pi * i / 28), sin(2 * pi * i / 28)) for i in range(28)]


def mix(a, b, share: float):
    """Colour between a (share 0) and b (share 1)."""
    return tuple(p + (q - p) * share for p, q in zip(a, b))


@lru_cache(maxsize=20000)
def paint(color: Color, style: str, layer: str, background: str) -> Color:
    """The colour as a style and the light of the place render it; layer: sky, ground or figure."""
    light = LIGHTS.get((layer, background), (1, 1, 1))
    c = color if style == "comic" else tuple(v * k for v, k in zip(color, light))
    luma = 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2]
    gray, dark = (luma,) * 3, background == "night" and layer != "figure"
    if style == "cartoon":
        c = mix(gray, c, 1.25)
    elif style == "comic":
        c = (min(max(round(v / 51) * 51, 0), 255) for v in mix(gray, c, 1.45))
        c = tuple(v * k for v, k in zip(c, light))
    elif style == "sketch":
        share = (
            0.62 if dark else 0.22 if layer != "figure" else 0.34 + 0.42 * max(0.0, 1 - luma / 110)
        )
        c = mix(PAPER, mix(gray, c, 0.3 if dark else 0.8), share)
    elif style == "watercolor":
        c = mix(WHITE, mix(gray, c, 1.15), 0.84 if dark else 0.62 if layer != "figure" else 0.88)
    elif style == "pixel art":
        c = mix(gray, c, 1.2)
    return tuple(int(min(max(v, 0), 255)) for v in c)


@lru_cache(maxsize=500)
def path(text: str) -> list[Point]:
    """Points written as 'x y, x y, ...'."""
    return [tuple(map(float, pair.split())) for pair in text.split(",")]


class Pen:
    """Draws filled shapes, outlined if the style says so, in a frame that can move and turn."""

    def __init__(self, canvas: ImageDraw.ImageDraw, side: int, scene: Scene, layer: str):
        look = LOOKS.get(scene.style, Look())
        self.canvas, self.scene, self.layer, self.ink = canvas, scene, layer, (*look.ink, 255)
        self.line = (look.near if layer == "figure" else look.far) * side / 128
        self.matrix = (side, 0.0, 0.0, side, 0.0, 0.0)

    def at(self, origin: Point, unit: float = 1.0, angle: float = 0.0, flip: float = 1.0) -> Pen:
        """A pen whose origin, unit of length and angle (radians) are given in this one's terms."""
        pen = object.__new__(Pen)
        pen.__dict__.update(self.__dict__)
        a, b, c, d, _, _ = self.matrix
        p, q = unit * cos(angle), unit * sin(angle)
        turned = ((a * p + b * q) * flip, b * p - a * q, (c * p + d * q) * flip, d * p - c * q)
        pen.matrix = (*turned, *self.place([origin])[0])
        return pen

    def both(self) -> tuple[Pen, Pen]:
        """A pen for the left half of something symmetrical, whose x are mirrored, and for the
        right."""
        return self.at((0, 0), flip=-1.0), self

    def place(self, points) -> list[Point]:
        """Points in pixels."""
        a, b, c, d, e, f = self.matrix
        points = path(points) if isinstance(points, str) else points
        return [(a * x + b * y + e, c * x + d * y + f) for x, y in points]

    @property
    def unit(self) -> float:
        """Pixels in this pen's unit of length."""
        a, b, c, d, _, _ = self.matrix
        return sqrt(abs(a * d - b * c))

    def hue(self, color: Color) -> tuple:
        return (*paint(color, self.scene.style, self.layer, self.scene.background), 255)

    def poly(self, points, color: Color, line: float = 1.0) -> None:
        """A filled polygon; line multiplies the width of the outline."""
        dots = self.place(points)
        if self.line and line:
            joint = "curve" if len(dots) < 9 else None
            self.canvas.line([*dots, *dots[:2]], self.ink, round(2 * self.line * line), joint)
        self.canvas.polygon(dots, self.hue(color))

    def blob(self, points, color: Color, line: float = 1.0) -> None:
        """A filled closed shape with rounded corners (each is cut off twice)."""
        points = path(points) if isinstance(points, str) else points
        for _ in range(2):
            sides = zip(points, [*points[1:], points[0]])
            points = [mix(u, v, k) for u, v in sides for k in (0.25, 0.75)]
        self.poly(points, color, line)

    def oval(self, x, y, rx, ry, color: Color, angle: float = 0.0, line: float = 1.0) -> None:
        """A filled ellipse about (x, y)."""
        grow = self.line * line / self.unit
        c, s = cos(angle), sin(angle)
        for more, fill in ((grow, self.ink), (0.0, self.hue(color)))[0 if grow else 1 :]:
            p, q = rx + more, ry + more
            dots = [(x + u * p * c - v * q * s, y + u * p * s + v * q * c) for u, v in CIRCLE]
            self.canvas.polygon(self.place(dots), fill)

    def limb(self, points, width: float, color: Color, line: float = 1.0) -> None:
        """A thick bent stroke with round ends."""
        dots, wide, grow = self.place(points), width * self.unit, 2 * self.line * line
        for thick, fill in ((wide + grow, self.ink), (wide, self.hue(color)))[0 if grow else 1 :]:
            r = thick / 2
            self.canvas.line(dots, fill, round(thick))
            for x, y in dots:
                self.canvas.ellipse((x - r, y - r, x + r, y + r), fill)

    def stroke(self, points, width: float, color: Color) -> None:
        """A thick bent stroke without an outline."""
        self.limb(points, width, color, 0)

    def dot(self, x, y, rx, ry, color: Color, angle: float = 0.0) -> None:
        """An ellipse without an outline."""
        self.oval(x, y, rx, ry, color, angle, 0)

    def box(self, left, top, right, bottom, color: Color, line: float = 1.0) -> None:
        """A rectangle."""
        self.poly([(left, bottom), (left, top), (right, top), (right, bottom)], color, line)


def noise(seed: int, *place: int) -> float:
    """A fixed random-looking number in 0 .. 1 for a seed and whole numbers."""
    h = (seed * 2654435761 + 97) & 0xFFFFFFFF
    for p in place:
        h = ((h ^ (p & 0xFFFF)) * 2246822519 + 374761393) & 0xFFFFFFFF
        h ^= h >> 15
    return (h * 3266489917 & 0xFFFFFFFF) / 4294967296


def scroll(pen: Pen, depth: float, spacing: float, layer: int, reach: float = 0.2):
    """Places x, and numbers r in 0 .. 1, of things in a row that scrolls with the camera.

    depth: 1 scrolls as fast as the ground; reach: half the width of a thing, so that none pops up.
    """
    seed, shift = pen.scene.seed, pen.scene.camera.pan * depth
    reach += 0.08 + 0.3 * spacing
    for i in range(floor((shift - reach) / spacing), ceil((shift + 1 + reach) / spacing) + 1):
        yield (i + 0.6 * (noise(seed, layer, i, 1) - 0.5)) * spacing - shift, noise(seed, layer, i)


# ---- skeletons


@dataclass(frozen=True)
class Rig:
    """The named points of a subject in its own frame, and where that frame lies in the picture."""

    local: dict[str, Point]
    root: Point  # the local origin, shares of the frame
    unit: float  # local unit of length, as a share of the frame
    angle: float = 0.0  # radians
    flip: float = 1.0
    nod: float = 0.0  # angle of the head in the local frame, radians


def _leg(crouch: float) -> float:
    """Height of the hip above the feet, in figure heights."""
    return 0.31 * (1 - 0.40 * crouch)


def rig(scene: Scene) -> Rig:
    """The skeleton of the scene's subject; everything is drawn from it."""
    p, z = scene.pose, scene.camera.zoom
    root, unit = (0.5 + (p.x - 0.5) * z, 0.5 + (p.y - 0.5) * z), HEIGHT * p.scale * z
    side = -1.0 if p.facing < 0 else 1.0
    if scene.action == "moving":
        local = {"centre": (0.0, 0.0), "roof": (-0.1, -0.34), "lamp": (0.5, -0.02)}
        local |= {"front_wheel": (0.32, 0.17), "back_wheel": (-0.32, 0.17)}
        return Rig(local, root, unit, 0.25 * TILT * p.lean, side)
    if scene.action == "eating":
        dip, reach = p.dip, 0.05 * p.arms
        local = {"hip": (0.0, 0.0), "neck": (0.06 * side * dip, -0.17 + 0.1 * dip)}
        local["head"] = (0.12 * side * dip + 0.04 * p.lean - 0.04 * side, -0.33 + 0.19 * dip)
        local["food"] = (0.25 * side, 0.085)
        local["left_hand"] = (-0.2 + 0.03 * side, 0.15 - max(reach, 0.0))
        local["right_hand"] = (0.2 + 0.03 * side, 0.15 - max(-reach, 0.0))
        return Rig(local, root, unit, nod=0.2 * p.lean + 0.12 * side * dip)
    angle = TILT * p.lean
    local = _biped(p, scene.action == "surfing")
    return Rig(local, root, unit * KITS[scene.subject].height, angle, nod=-0.5 * angle)


def _biped(p: Pose, wide: bool) -> dict[str, Point]:
    """Joints of a standing figure about its hip, in figure heights; wide: balancing on a board."""
    neck, leg = (0.07 * p.crouch * p.facing, -0.24 + 0.02 * p.crouch), _leg(p.crouch)
    local = {"hip": (0.0, 0.0), "neck": neck, "head": (neck[0] + 0.025 * p.facing, neck[1] - 0.165)}
    stance = 0.16 if wide else 0.095 + 0.03 * p.crouch
    for name, side in (("left", -1), ("right", 1)):
        step = p.stride * side * -0.05
        foot = (side * stance + step * p.facing * 1.3, leg - 0.4 * step)
        bulge = sqrt(max(0.175**2 - (leg / 2) ** 2, 0.0004))
        knee = (foot[0] * 0.55 + bulge * (0.45 * side + 0.8 * p.facing), foot[1] * 0.5)
        lift, reach = (0.1, 0.27) if wide else (0.75 - 0.1 * p.crouch, 0.23)
        lift += (0.75 if wide else 0.6) * p.arms * -side
        shoulder = (neck[0] + side * 0.115, neck[1] + 0.045)
        hand = (shoulder[0] + side * reach * cos(lift), shoulder[1] + reach * sin(lift))
        hand = hand if wide else (hand[0] + 0.05 * p.facing, hand[1])
        elbow = ((shoulder[0] + hand[0]) / 2 + side * 0.015, (shoulder[1] + hand[1]) / 2 + 0.04)
        joints = {"foot": foot, "knee": knee, "shoulder": shoulder, "elbow": elbow, "hand": hand}
        local |= {f"{name}_{joint}": point for joint, point in joints.items()}
    return local


def joints(scene: Scene) -> dict[str, Point]:
    """Named points of the subject as (x, y) shares of the frame, exactly where `draw` puts them."""
    r = rig(scene)
    c, s, u, (x0, y0) = cos(r.angle), sin(r.angle), r.unit, r.root
    turned = {name: (x * r.flip, y) for name, (x, y) in r.local.items()}
    return {
        name: (x0 + u * (x * c - y * s), y0 + u * (x * s + y * c))
        for name, (x, y) in turned.items()
    }


# ---- backdrops

SKIES = {  # colour at the top, at the horizon
    "plain": ((172, 210, 242), (240, 246, 248)),
    "snow": ((96, 170, 240), (196, 228, 252)),
    "beach": ((40, 170, 240), (150, 224, 250)),
    "desert": ((250, 196, 110), (255, 232, 170)),
    "grass": ((90, 176, 250), (196, 232, 255)),
    "city": ((196, 180, 214), (246, 222, 214)),
    "sunset": ((110, 50, 130), (255, 140, 50)),
    "night": ((10, 14, 52), (36, 42, 104)),
    "room": ((250, 238, 214), (250, 238, 214)),
}
GROUNDS = {  # colour of the ground, of the marks on it
    "plain": ((246, 249, 253), (206, 218, 234)),
    "snow": ((238, 246, 255), (176, 204, 238)),
    "beach": ((246, 220, 150), (222, 180, 100)),
    "desert": ((232, 158, 84), (196, 112, 52)),
    "grass": ((116, 190, 66), (66, 142, 44)),
    "city": ((176, 172, 178), (134, 130, 142)),
    "sunset": ((250, 190, 170), (222, 130, 130)),
    "night": ((150, 168, 214), (96, 116, 180)),
}
RED, GOLD, TAN, TEAL = (226, 28, 40), (252, 200, 48), (246, 200, 160), (20, 176, 172)
PETALS = ((236, 54, 80), (255, 216, 40), WHITE, (190, 80, 220))
WALLS = ((196, 84, 72), (66, 106, 156), (222, 160, 88), (104, 84, 140))


def _plain(pen: Pen) -> None:
    if pen.scene.action == "eating":
        return
    for x, r in scroll(pen, 0.25, 0.7, 1, 0.5):
        pen.dot(x, 0.70, 0.45, 0.12 + 0.06 * r, (216, 226, 236))


def _snow(pen: Pen) -> None:
    for x, r in scroll(pen, 0.15, 0.5, 1, 0.4):
        peak = pen.at((x, 0.68), 0.34 + 0.14 * r)
        peak.poly("-.85 0, 0 -1, .85 0", (96, 128, 186))
        peak.poly("-.34 -.6, 0 -1, .34 -.6, .14 -.68, -.02 -.52, -.16 -.66", WHITE, line=0)
    for x, r in scroll(pen, 0.4, 0.3, 2):
        tree = pen.at((x, 0.66), 0.26 + 0.1 * r)
        tree.box(-0.07, -0.2, 0.07, 0.1, (110, 70, 44))
        for y, w in ((-0.15, 0.42), (-0.48, 0.32), (-0.8, 0.22)):
            tree.poly([(-w, y), (0, y - 0.55), (w, y)], (22, 112, 84))
        tree.poly("-.13 -1.03, 0 -1.35, .13 -1.03, 0 -1.1", WHITE, line=0)
    for x, r in scroll(pen, 0.55, 0.12, 3, 0.05):
        pen.dot(x, 0.04 + 0.55 * r, 0.017, 0.017, WHITE)


def _beach(pen: Pen) -> None:
    pen.oval(0.82, 0.16, 0.085, 0.085, (255, 226, 60))
    pen.box(-0.3, 0.46, 1.3, 0.7, (0, 140, 190))
    for x, r in scroll(pen, 0.3, 0.34, 1):
        pen.stroke([(x, 0.5 + 0.06 * r), (x + 0.12, 0.5 + 0.06 * r)], 0.016, (150, 226, 240))
    pen.box(-0.3, 0.6, 1.3, 1.2, GROUNDS["beach"][0])
    for x, r in scroll(pen, 0.55, 0.72, 2, 0.4):
        palm = pen.at((x, 0.66), 0.52 + 0.08 * r, flip=1 if r > 0.5 else -1)
        palm.limb("0 .02, .05 -.35, .14 -.72", 0.075, (150, 96, 52))
        for a in (-2.9, -2.2, -0.9, -0.2, 0.45, 2.75):
            u, v = cos(a), sin(a)
            side, tip = (0.24 * u, 0.22 * v - 0.1), (0.4 * u, 0.26 * v + 0.08)
            leaf = [(0, 0.04), side, tip, (side[0], side[1] + 0.12)]
            palm.at((0.14, -0.74)).blob(leaf, (30, 160, 72))
        palm.oval(0.12, -0.69, 0.045, 0.045, (120, 66, 30))


def _desert(pen: Pen) -> None:
    pen.oval(0.2, 0.17, 0.08, 0.08, (255, 250, 214))
    for x, r in scroll(pen, 0.15, 0.8, 1, 0.3):
        w = 0.14 + 0.08 * r
        pen.poly(
            [(x - w - 0.06, 0.66), (x - w, 0.36), (x + w, 0.36), (x + w + 0.06, 0.66)],
            (198, 92, 62),
        )
    for x, r in scroll(pen, 0.3, 0.6, 2, 0.5):
        pen.oval(x, 0.72, 0.46, 0.16 + 0.08 * r, (240, 180, 100))
    for x, r in scroll(pen, 0.55, 0.46, 3):
        cactus = pen.at((x, 0.68), 0.34 + 0.1 * r)
        for trunk, width in (
            ("0 -.36, .3 -.38, .3 -.62", 0.15),
            ("0 -.26, -.28 -.28, -.28 -.5", 0.15),
        ):
            cactus.limb(trunk, width, (30, 134, 84))
        cactus.limb("0 .1, 0 -.82", 0.22, (30, 134, 84))


def _grass(pen: Pen) -> None:
    for x, r in scroll(pen, 0.1, 0.55, 1, 0.25):
        for dx, size in ((-0.08, 0.055), (0.0, 0.08), (0.09, 0.055)):
            pen.dot(x + dx, 0.12 + 0.12 * r, size * 1.3, size, WHITE)
    for x, r in scroll(pen, 0.25, 0.5, 2, 0.45):
        pen.oval(x, 0.74, 0.42, 0.24 + 0.12 * r, (146, 208, 80))
    for x, r in scroll(pen, 0.4, 0.16, 3, 0.1):
        _flower(pen.at((x, 0.55 + 0.05 * r), 0.036), PETALS[int(4 * r)])


def _flower(pen: Pen, color: Color) -> None:
    pen.stroke("0 0, 0 1.5", 0.45, (40, 120, 40))
    pen.oval(0, 0, 0.85, 0.85, color, line=0.6)
    pen.dot(0, 0, 0.34, 0.34, (255, 170, 30))


def _city(pen: Pen) -> None:
    for x, r in scroll(pen, 0.15, 0.2, 1):
        pen.box(x - 0.12, 0.12 + 0.25 * r, x + 0.12, 0.7, (164, 150, 190))
    for x, r in scroll(pen, 0.4, 0.29, 2):
        top = 0.20 + 0.24 * noise(pen.scene.seed, int(r * 1e6))
        pen.box(x - 0.115, top, x + 0.115, 0.8, WALLS[int(r * 4)])
        for k in range(10):
            u, v = x + (-0.055 if k % 2 else 0.055), top + 0.07 + 0.095 * (k // 2)
            pen.box(u - 0.03, v, u + 0.03, v + 0.05, (255, 238, 150), line=0)


def _sunset(pen: Pen) -> None:
    for y, color in ((0.30, (226, 74, 96)), (0.44, (250, 112, 62))):
        pen.box(-0.3, y, 1.3, 0.8, color, line=0)
    x = 0.68 - 0.05 * pen.scene.camera.pan
    pen.dot(x, 0.44, 0.26, 0.26, (255, 176, 50))
    pen.oval(x, 0.44, 0.2, 0.2, (255, 240, 120))
    for x, r in scroll(pen, 0.3, 0.5, 1, 0.45):
        pen.oval(x, 0.74, 0.40, 0.16 + 0.1 * r, (120, 40, 104))


def _night(pen: Pen) -> None:
    moon = pen.at((0.80 - 0.05 * pen.scene.camera.pan, 0.18), 0.13)
    outer = [(cos(0.26 * k - 1.9), sin(0.26 * k - 1.9)) for k in range(18)]
    inner = [(0.74 * u - 0.42, 0.74 * v - 0.25) for u, v in reversed(outer)]
    moon.poly(outer + inner[1:-1], (255, 246, 170), line=0)
    for x, r in scroll(pen, 0.08, 0.13, 1, 0.05):
        star = pen.at((x, 0.04 + 0.42 * noise(pen.scene.seed, int(r * 1e6))), 0.022 + 0.018 * r)
        star.poly(
            "0 -1.4, .35 -.35, 1.4 0, .35 .35, 0 1.4, -.35 .35, -1.4 0, -.35 -.35",
            (255, 255, 225),
            0,
        )
    for x, r in scroll(pen, 0.3, 0.5, 2, 0.45):
        pen.dot(x, 0.76, 0.40, 0.16 + 0.1 * r, (50, 62, 120))


BACKDROPS = {"plain": _plain, "snow": _snow, "beach": _beach, "desert": _desert}
BACKDROPS |= {"grass": _grass, "city": _city, "sunset": _sunset, "night": _night}

# ---- the ground


def _marks(pen: Pen, rows, depth: float = 0.8, fall: float = 0.0) -> None:
    """Streaks on the ground, or flowers in the grass, in rows at the given heights."""
    for k, y in enumerate(rows):
        for x, r in scroll(pen, depth * (1 + 0.3 * k), 0.42 if fall else 0.3, 10 + k):
            w, at = 0.06 + 0.05 * r, y + fall * (x - 0.5)
            pen.stroke(
                [(x - w, at), (x + w, at + fall * w)],
                0.017 + 0.008 * k,
                GROUNDS[pen.scene.background][1],
            )
            if pen.scene.background == "grass" and r > 0.3:
                _flower(pen.at((x, at - 0.05), 0.034 + 0.006 * k), PETALS[int(40 * r) % 4])


def _slope(pen: Pen) -> None:
    """A ski slope of the background's material, falling to the right."""
    pen.blob("-.5 .58, .3 .62, 1.5 .70, 1.6 1.5, -.6 1.5", GROUNDS[pen.scene.background][0])
    _marks(pen, (0.72, 0.83, 0.96), fall=0.07)


def _road(pen: Pen) -> None:
    """A road with a dashed line, seen from the side."""
    pen.box(-0.5, 0.62, 1.5, 1.5, GROUNDS[pen.scene.background][0])
    _marks(pen, (0.665,))
    pen.box(-0.5, 0.71, 1.5, 1.5, (92, 92, 102))
    shift = pen.scene.camera.pan
    for i in range(floor((shift - 0.5) / 0.36), ceil((shift + 1.5) / 0.36)):
        pen.at((i * 0.36 - shift, 0.89)).poly(
            "0 0, .2 0, .19 .042, -.01 .042", (255, 244, 200), line=0
        )


def _floor(pen: Pen) -> None:
    """The ground behind a table."""
    color = (214, 190, 160) if pen.scene.background == "plain" else GROUNDS[pen.scene.background][0]
    pen.box(-0.5, 0.64, 1.5, 1.5, color)
    if pen.scene.background != "plain":
        _marks(pen, (0.70,))


def _water(pen: Pen) -> None:
    """A breaking wave, high behind the rider, that runs along with the camera."""
    side = -1.0 if pen.scene.pose.facing < 0 else 1.0
    travel, pen = pen.scene.camera.pan * side, pen.at((0.5, 0), flip=side)
    pen.blob(
        "-.9 1.3, -.9 .36, -.45 .32, -.24 .42, -.1 .61, .2 .71, .9 .67, .9 1.3", (10, 112, 214)
    )
    pen.blob(
        "-.9 .5, -.6 .38, -.34 .40, -.22 .56, -.06 .72, -.3 .74, -.9 .8", (40, 160, 236), line=0
    )
    for row in range(4):
        for k in range(3):
            s = (k / 3 + 0.41 * row - travel * (0.8 + 0.1 * row) / 1.6) % 1.0
            x, y = -0.8 + 1.6 * s, 0.76 + 0.08 * row
            bent = ((x - 0.1, y), (x, y + 0.015), (x + 0.1, y))
            arc = [(u, v - 0.5 * max(0.0, -0.05 - u)) for u, v in bent]
            pen.stroke(arc, 0.018 + 0.003 * row, (130, 214, 250))
    for k in range(9):
        s = (k / 9 - travel * 0.5) % 1.0
        x, size = -0.64 + 0.46 * s, 0.035 + 0.045 * sin(pi * s)
        pen.dot(x, 0.33 + 0.5 * max(0.0, x + 0.36) ** 1.1, size, size, (244, 251, 255))


# ---- figures


@dataclass(frozen=True)
class Kit:
    """Colours and features of a figure."""

    skin: Color  # or fur
    top: Color
    bottom: Color
    legs: Color
    arms: Color
    hands: Color
    shoes: Color
    extra: Color = BLACK  # hair, ears, stripes or trim
    belly: Color | None = None
    tail: float = 0.0  # thickness of a long tail, in figure heights
    height: float = 1.0  # of the usual height


def _fur(
    fur: Color, extra: Color, belly: Color, tail: float = 0.0, paws: Color | None = None
) -> Kit:
    return Kit(fur, fur, fur, fur, fur, paws or fur, paws or fur, extra, belly, tail)


BLUE, DARK_RED, PINK, HOT_PINK = (34, 72, 206), (206, 24, 30), (255, 96, 178), (214, 30, 128)
VIOLET, PLUM, STEEL, SUIT = (150, 60, 200), (96, 34, 140), (16, 120, 130), (226, 232, 244)
AMBER, YELLOW, GREEN, BROWN = (250, 130, 30), (255, 206, 30), (30, 150, 80), (104, 58, 26)
CREAM, SOOT = (255, 244, 224), (58, 44, 46)
JEANS, COAT = (132, 84, 50), (40, 92, 216)
KITS = {
    "man": Kit(TAN, COAT, JEANS, JEANS, COAT, TAN, (58, 44, 46), BROWN),
    "woman": Kit(TAN, VIOLET, PLUM, PLUM, VIOLET, TAN, (70, 24, 96), (224, 84, 26)),
    "boy": Kit(TAN, YELLOW, GREEN, TAN, YELLOW, TAN, (214, 70, 40), GREEN, height=0.9),
    "spider man": Kit(RED, RED, BLUE, BLUE, BLUE, RED, RED),
    "wonder woman": Kit(TAN, RED, BLUE, TAN, TAN, TAN, RED, (30, 22, 40)),
    "iron man": Kit(DARK_RED, DARK_RED, DARK_RED, DARK_RED, GOLD, DARK_RED, DARK_RED, GOLD),
    "mickey mouse": Kit(
        BLACK, BLACK, (232, 30, 36), BLACK, BLACK, WHITE, (255, 208, 20), tail=0.03
    ),
    "robot": Kit(TEAL, TEAL, STEEL, STEEL, STEEL, (255, 190, 40), (10, 84, 96), (240, 60, 60)),
    "astronaut": Kit(WHITE, SUIT, SUIT, SUIT, SUIT, AMBER, AMBER),
    "panda": Kit(WHITE, WHITE, BLACK, BLACK, BLACK, BLACK, BLACK, BLACK, WHITE),
    "raccoon": _fur((156, 130, 112), SOOT, (220, 200, 182), 0.13, SOOT),
    "rabbit": _fur((206, 188, 220), (255, 150, 180), (246, 238, 250)),
    "tiger": _fur((248, 140, 24), (50, 26, 16), (255, 240, 214), 0.075),
    "puppy": _fur((176, 112, 58), (104, 56, 26), (244, 216, 176), 0.055),
    "cat": _fur((96, 122, 172), (255, 160, 176), (214, 224, 240), 0.065),
}


def _kit(scene: Scene) -> Kit:
    """The subject's kit, in pink clothes if it wears them."""
    kit = KITS[scene.subject]
    pink = scene.attribute == "pink clothes"
    return replace(kit, top=PINK, bottom=PINK, arms=PINK, legs=PINK) if pink else kit


def _figure(pen: Pen) -> None:
    """A skier or a surfer with everything it rides on and holds."""
    scene, r = pen.scene, rig(pen.scene)
    kit, body, j = _kit(scene), pen.at(r.root, r.unit, r.angle), r.local
    head = body.at(j["head"], 0.195, r.nod)
    _tail(body, kit)
    if scene.subject in ("woman", "wonder woman"):
        sway = 0.25 * scene.pose.ears - 0.25 * scene.pose.facing
        ends = [(1.15 + sway, 1.55), (sway, 1.3), (-1.15 + sway, 1.55)]
        head.blob([(-1.2, 0.2), (-0.9, -0.8), (0.9, -0.8), (1.2, 0.2), *ends], kit.extra)
    (_skis if scene.action == "skiing" else _board)(body, j)
    for name, side in (("left", -1), ("right", 1)):
        x, y = j[f"{name}_foot"]
        body.limb([(0.055 * side, 0.0), j[f"{name}_knee"], (x, y)], 0.105, kit.legs)
        body.oval(x + 0.02 * scene.pose.facing, y, 0.075, 0.055, kit.shoes)
    _torso(body, kit, j["neck"])
    for name in ("left", "right"):
        body.limb([j[f"{name}_shoulder"], j[f"{name}_elbow"], j[f"{name}_hand"]], 0.085, kit.arms)
        body.oval(*j[f"{name}_hand"], 0.055, 0.055, kit.hands)
    _head(head, kit)


def _skis(body: Pen, j: dict[str, Point]) -> None:
    """Skis under the feet, poles from the hands to the snow behind."""
    f = body.scene.pose.facing
    dx, dy = 0.36 * f, 0.05 + 0.16 * (1 - abs(f))
    for name, side in (("left", -1), ("right", 1)):
        x, y = j[f"{name}_foot"]
        tip = (x + dx + 0.04 * side * (1 - abs(f)), y + 0.035 + dy)
        bend = (tip[0] + 0.05 * f, tip[1] - 0.045 * abs(f))
        body.limb(
            [(x - 0.75 * dx, y + 0.035 - 0.75 * dy), tip, bend], 0.05, (255, 90, 30), line=0.8
        )
        x, y = j[f"{name}_hand"]
        body.limb(
            [(x, y - 0.04), (x - 0.16 * f + 0.05 * side, y + 0.30)], 0.03, (96, 60, 150), line=0.4
        )


def _board(body: Pen, j: dict[str, Point]) -> None:
    """A surfboard under both feet, with spray at its tail."""
    (ax, ay), (bx, by) = j["left_foot"], j["right_foot"]
    f, pan = body.scene.pose.facing, body.scene.camera.pan
    body = body.at(((ax + bx) / 2, (ay + by) / 2 + 0.03))
    for k in range(4):
        x, y = -f * (0.30 + 0.075 * k), 0.03 - 0.035 * k + 0.02 * sin(9 * pan + 2 * k)
        body.dot(x, y, 0.05 + 0.02 * k, 0.045 + 0.016 * k, WHITE)
    c, s = cos(0.12 * f), sin(0.12 * f)
    body.oval(0, 0, 0.44, 0.072, (255, 214, 50), 0.12 * f)
    body.stroke([(-0.32 * c, -0.32 * s), (0.32 * c, 0.32 * s)], 0.036, (236, 50, 70))


def _tail(body: Pen, kit: Kit) -> None:
    """Tails stick out behind, wagging with the ears."""
    f, wag, who = -body.scene.pose.facing, 0.05 * body.scene.pose.ears, body.scene.subject
    if who in ("rabbit", "panda"):
        body.oval(0.15 * f, 0.0, 0.075, 0.075, WHITE if who == "rabbit" else BLACK)
    elif kit.tail:
        long = 0.65 if who in ("puppy", "mickey mouse") else 1.0
        bend = ((0.05, 0.05), (0.27, 0.06), (0.38, wag - 0.05), (0.41, wag - 0.2))
        bend = [(x * long * f, y * long) for x, y in bend]
        body.limb(bend, kit.tail, kit.skin)
        for a, b in zip(bend[1:], bend[2:]) if who in ("raccoon", "tiger") else ():
            d = max(hypot(b[0] - a[0], b[1] - a[1]), 0.01)
            u, v = (a[1] - b[1]) / d * kit.tail * 0.42, (b[0] - a[0]) / d * kit.tail * 0.42
            for x, y in (mix(a, b, 0.2), mix(a, b, 0.75)):
                body.stroke([(x - u, y - v), (x + u, y + v)], 0.034, kit.extra)


def _torso(body: Pen, kit: Kit, neck: Point) -> None:
    """Body and what is on its front; the pen for details is at the middle of the chest."""
    (x, y), scene = neck, body.scene
    left, right = (
        [(-0.135, 0.08), (x - 0.155, -0.1), (x - 0.13, y)],
        [(x + 0.13, y), (x + 0.155, -0.1)],
    )
    body.blob([*left, *right, (0.135, 0.08)], kit.top)
    chest = body.at((x * 0.5 + 0.03 * scene.pose.facing, y * 0.5))
    if scene.attribute == "pink clothes":
        chest.stroke("0 -.09, 0 .16", 0.03, HOT_PINK)
        chest.stroke("-.1 .16, .1 .16", 0.035, HOT_PINK)
    elif kit.belly:
        chest.dot(0, 0, 0.095, 0.115, kit.belly)
        for half in chest.both() if scene.subject == "tiger" else ():
            for v in (-0.02, 0.05, 0.12):
                half.stroke([(0.09, v), (0.14, v - 0.012)], 0.03, kit.extra)
        if scene.subject == "puppy":
            chest.stroke("-.09 -.085, .09 -.085", 0.045, RED)
    else:
        FRONTS.get(scene.subject, _jacket)(chest, kit)


def _jacket(chest: Pen, kit: Kit) -> None:
    chest.stroke("0 -.09, 0 .17", 0.03, tuple(map(int, mix(kit.top, WHITE, 0.6))))
    chest.stroke("-.09 .17, .09 .17", 0.05, kit.bottom)


def _spider_front(chest: Pen, kit: Kit) -> None:
    for half in chest.both():
        half.poly("0.15 -.02, .13 .19, .07 .19", BLUE, line=0)
        half.stroke("0 0, .07 -.05", 0.02, BLACK)
        half.stroke("0 0, .07 .05", 0.02, BLACK)
    chest.dot(0, 0, 0.035, 0.05, BLACK)


def _wonder_front(chest: Pen, kit: Kit) -> None:
    chest.poly("-.12 .12, .12 .12, .19 .25, -.19 .25", kit.bottom)
    chest.stroke("-.12 .12, .12 .12", 0.04, GOLD)
    chest.poly("-.1 -.06, 0 -.02, .1 -.06, 0 .05", GOLD, line=0)


def _iron_front(chest: Pen, kit: Kit) -> None:
    chest.dot(0, -0.01, 0.07, 0.07, GOLD)
    chest.dot(0, -0.01, 0.05, 0.05, (200, 252, 255))


def _mickey_front(chest: Pen, kit: Kit) -> None:
    chest.blob("-.145 .06, .145 .06, .17 .23, .02 .23, -.02 .23, -.17 .23", kit.bottom)
    for half in chest.both():
        half.dot(0.05, 0.12, 0.025, 0.035, WHITE)


def _robot_front(chest: Pen, kit: Kit) -> None:
    chest.poly("-.16 -.1, .16 -.1, .15 .2, -.15 .2", kit.top)
    for x, color in ((-0.07, RED), (0.0, GOLD), (0.07, (120, 255, 120))):
        chest.dot(x, 0.0, 0.03, 0.03, color)


def _astronaut_front(chest: Pen, kit: Kit) -> None:
    chest.stroke("-.12 .17, .12 .17", 0.04, AMBER)
    chest.box(-0.07, -0.04, 0.07, 0.05, (60, 130, 230), line=0)


FRONTS = {"spider man": _spider_front, "wonder woman": _wonder_front, "iron man": _iron_front}
FRONTS |= {"mickey mouse": _mickey_front, "robot": _robot_front, "astronaut": _astronaut_front}

# ---- heads
# A head is drawn about its centre, with its radius as unit; `face` is a pen moved to where it
# looks.

LOOK_ASIDE = 0.26  # how far the face of a subject with facing 1 is from the middle, in radii


def _head(head: Pen, kit: Kit) -> None:
    """A head with what is worn on it."""
    face = head.at((LOOK_ASIDE * head.scene.pose.facing, 0))
    HEADS.get(head.scene.subject, _animal)(head, face, kit)
    _worn(head, face, head.scene.attribute)


def _eyes(face: Pen, y: float = 0.0, apart: float = 0.36, r: float = 0.14) -> None:
    pixels = face.scene.style == "pixel art"  # whose blocks are too coarse for a glint
    for s in (-1, 1):
        face.dot(s * apart, y, r * (1.4 if pixels else 1), r * 1.4, BLACK)
        if not pixels:
            face.dot(s * apart + 0.045, y - 0.07, r * 0.36, r * 0.36, WHITE)


def _person(head: Pen, face: Pen, kit: Kit) -> None:
    head.oval(0, 0, 0.96, 0.98, kit.skin)
    _eyes(face, 0.12)
    face.stroke("-.2 .5, 0 .57, .2 .5", 0.11, (196, 60, 60))
    if head.scene.subject == "boy":
        head.blob("-1.05 -.15, -.95 -.95, 0 -1.25, .95 -.95, 1.05 -.15, 0 -.3", kit.extra)
        turn = head.scene.pose.facing
        head.limb([(0.85 * turn - 0.4, -0.3), (0.85 * turn + 0.4, -0.3)], 0.24, (20, 104, 56))
        return
    part = LOOK_ASIDE * head.scene.pose.facing
    fringe = [(0.85, -0.2), (part + 0.3, -0.5), (part - 0.3, -0.35), (-0.85, -0.2)]
    head.blob(
        [(-1.12, 0.35), (-1.1, -0.8), (0, -1.22), (1.1, -0.8), (1.12, 0.35), *fringe], kit.extra
    )
    if head.scene.subject == "wonder woman":
        head.stroke([(-0.85, -0.38), (part, -0.5), (0.85, -0.38)], 0.2, GOLD)
        face.poly("-.22 -.5, 0 -.82, .22 -.5, 0 -.3", GOLD, line=0)
        face.dot(0, -0.5, 0.11, 0.11, RED)


def _spider(head: Pen, face: Pen, kit: Kit) -> None:
    head.oval(0, 0, 0.92, 1.02, kit.skin)
    middle = LOOK_ASIDE * head.scene.pose.facing
    for a in (-2.4, -1.57, -0.74, 0.74, 1.57, 2.4):
        head.stroke([(middle, 0.05), (0.88 * cos(a), 0.98 * sin(a))], 0.07, (120, 8, 20))
    for half in face.both():
        half.blob("-.04 .34, .08 -.14, .92 -.53, .84 .32, .4 .54", BLACK, line=0)
        half.blob("0.08 .22, .2 -.02, .8 -.36, .72 .2, .4 .42", WHITE, line=0)


def _iron(head: Pen, face: Pen, kit: Kit) -> None:
    head.blob("-1 -.9, 0 -1.3, 1 -.9, 1.05 .5, .6 1.1, -.6 1.1, -1.05 .5", kit.skin)
    face.blob("-.62 -.5, 0 -.34, .62 -.5, .66 .5, .34 .95, -.34 .95, -.66 .5", kit.extra, line=0.7)
    for half in face.both():
        half.stroke(
            "0.18 .1, .46 .04", 0.18, BLACK if half.scene.style == "sketch" else (235, 255, 255)
        )
    face.stroke("-.2 .62, .2 .62", 0.1, (150, 90, 10))


def _mickey(head: Pen, face: Pen, kit: Kit) -> None:
    for s in (-1, 1):
        head.oval(
            s * 0.86 - 0.08 * head.scene.pose.facing,
            -0.86 + 0.06 * head.scene.pose.ears * s,
            0.56,
            0.56,
            kit.skin,
        )
    head.oval(0, 0, 0.98, 0.96, kit.skin)
    for s in (-1, 1):
        face.dot(s * 0.32, -0.1, 0.38, 0.56, TAN)
    face.dot(0, 0.42, 0.74, 0.46, TAN)
    _eyes(face, -0.08, 0.22, 0.13)
    face.dot(0.08 * head.scene.pose.facing, 0.28, 0.2, 0.14, BLACK)
    face.stroke("-.35 .52, 0 .68, .35 .52", 0.1, (150, 20, 30))


def _robot(head: Pen, face: Pen, kit: Kit) -> None:
    tip = 0.12 * head.scene.pose.ears
    head.limb([(0, -0.8), (tip, -1.25)], 0.14, (90, 100, 110))
    head.oval(tip, -1.32, 0.19, 0.19, kit.extra)
    for half in head.both():
        half.box(0.9, -0.25, 1.2, 0.3, kit.hands)
    head.box(-1, -0.88, 1, 0.85, kit.skin)
    face.box(-0.7, -0.5, 0.7, 0.25, (12, 50, 66), line=0)
    for s in (-1, 1):
        face.dot(s * 0.34, -0.12, 0.22, 0.24, (255, 236, 60))
    face.stroke("-.4 .55, .4 .55", 0.15, (12, 50, 66))


def _astronaut(head: Pen, face: Pen, kit: Kit) -> None:
    for s in (-1, 1):
        head.oval(s * 0.98, 0.1, 0.2, 0.34, AMBER)
    head.oval(0, 0, 1.08, 1.06, kit.skin)
    face.oval(0, 0.08, 0.82, 0.7, AMBER, line=0.7)
    face.dot(0, 0.08, 0.71, 0.59, (24, 80, 200))
    face.dot(-0.26, -0.14, 0.22, 0.14, (170, 220, 255), -0.5)


def _ears(head: Pen, kit: Kit) -> None:
    """Ears that stand up; those that hang down come last of all."""
    who, bob, f = head.scene.subject, head.scene.pose.ears, head.scene.pose.facing
    head = head.at((-0.08 * f, 0))
    for half, s in zip(head.both(), (-1, 1)):
        if who == "rabbit":
            ear = [
                (0.42, -0.75),
                (0.5, -1.3),
                (0.62 + 0.16 * bob - 0.1 * f * s, -2.0 + 0.12 * bob * s),
            ]
            half.limb(ear, 0.48, kit.skin)
            half.stroke(ear, 0.2, kit.extra)
        elif who == "cat":
            half.poly([(0.2, -0.8), (0.92 + 0.06 * bob * s, -1.42), (1.02, -0.2)], kit.skin)
            half.poly(
                [(0.42, -0.8), (0.87 + 0.06 * bob * s, -1.14), (0.88, -0.5)], kit.extra, line=0
            )
        elif who != "puppy":
            r, y = 0.44 if who == "panda" else 0.37, -0.76 + 0.05 * bob * s
            half.oval(0.74, y, r, r, kit.extra if who == "panda" else kit.skin)
            if who != "panda":
                half.dot(0.74, y, r * 0.55, r * 0.55, kit.extra if who == "raccoon" else CREAM)


def _animal(head: Pen, face: Pen, kit: Kit) -> None:
    who, f = head.scene.subject, head.scene.pose.facing
    _ears(head, kit)
    head.oval(0, 0, 1.06, 0.96, kit.skin)
    MARKS.get(who, lambda *_: None)(head, face, kit)
    muzzle = face.at((0.06 * f, 0))
    muzzle.dot(0, 0.42, 0.5, 0.38, kit.belly)
    if who in ("panda", "raccoon"):
        for s in (-1, 1):
            face.dot(s * 0.4, 0.02, 0.14, 0.17, WHITE)
            face.dot(s * 0.4 + 0.05 * f, 0.03, 0.08, 0.1, BLACK)
    else:
        _eyes(face, -0.06, 0.42, 0.12 if who == "cat" else 0.155)
    muzzle.dot(0.04 * f, 0.26, 0.2, 0.14, (230, 90, 120) if who in ("cat", "rabbit") else BLACK)
    muzzle.stroke("-.2 .55, 0 .62, .2 .55", 0.09, (120, 50, 50))
    for half, s in zip(head.at((-0.08 * f, 0)).both(), (-1, 1)) if who == "puppy" else ():
        bob = head.scene.pose.ears
        half.limb(
            [(0.8, -0.62), (1.08, 0.02), (1.1 + 0.14 * bob * s, 0.66 - 0.18 * bob)], 0.46, kit.extra
        )


def _panda_marks(head: Pen, face: Pen, kit: Kit) -> None:
    for half in face.both():
        half.dot(0.42, 0.0, 0.29, 0.36, BLACK, 0.5)


def _raccoon_marks(head: Pen, face: Pen, kit: Kit) -> None:
    for half in face.both():
        half.blob("-.1 -.02, .4 -.32, 1.0 -.05, .8 .42, -.1 .22", kit.extra, line=0)
        half.stroke("0.25 -.44, .75 -.36", 0.14, CREAM)


def _tiger_marks(head: Pen, face: Pen, kit: Kit) -> None:
    for half in head.both():
        half.poly("1.02 -.28, .58 -.12, 1.06 .04", kit.extra, line=0)
        half.poly("1.0 .2, .58 .28, .9 .48", kit.extra, line=0)
    for x in (-0.34, 0.0, 0.34):
        face.stroke([(x, -0.82), (x * 0.8, -0.48)], 0.16, kit.extra)


def _cat_marks(head: Pen, face: Pen, kit: Kit) -> None:
    for s in (-1, 1):
        face.dot(s * 0.42, -0.06, 0.26, 0.28, (190, 240, 90))


MARKS = {"panda": _panda_marks, "raccoon": _raccoon_marks, "tiger": _tiger_marks, "cat": _cat_marks}
HEADS = {
    "man": _person,
    "woman": _person,
    "boy": _person,
    "wonder woman": _person,
    "spider man": _spider,
}
HEADS |= {"iron man": _iron, "mickey mouse": _mickey, "robot": _robot, "astronaut": _astronaut}


def _worn(head: Pen, face: Pen, attribute: str) -> None:
    """Hats and glasses."""
    leather, lens = (156, 90, 34), (16, 14, 22)
    if attribute == "cowboy hat":
        head.blob("-1.75 -.95, -1.2 -.55, 0 -.42, 1.2 -.55, 1.75 -.95, 1 -.8, -1 -.8", leather)
        head.blob("-.85 -.6, -.72 -1.5, -.3 -1.62, 0 -1.42, .3 -1.62, .72 -1.5, .85 -.6", leather)
        head.stroke("-.68 -.78, 0 -.7, .68 -.78", 0.2, (206, 40, 40))
    elif attribute == "birthday hat":
        head.poly("-.72 -.62, 0 -2, .72 -.62, 0 -.5", (255, 226, 40))
        for y, w in ((-0.85, 0.5), (-1.3, 0.27)):
            head.stroke([(-w, y), (w, y + 0.02)], 0.2, (40, 110, 240))
        head.oval(0, -1.98, 0.25, 0.25, (240, 40, 90))
    elif attribute == "sunglasses":
        for half in face.both():
            half.blob("0.06 -.3, .92 -.34, .9 .32, .3 .4", lens)
        face.stroke("-.95 -.2, .95 -.2", 0.17, lens)
        for x in (-0.47, 0.47):
            face.stroke([(x - 0.1, 0.14), (x + 0.12, -0.1)], 0.11, (160, 210, 250))


# ---- vehicles and the table


def _vehicle(pen: Pen) -> None:
    """A vehicle seen from the side, on turning wheels."""
    r, jeep = rig(pen.scene), pen.scene.subject == "jeep"
    body = pen.at(r.root, r.unit, r.angle, r.flip)
    (_jeep if jeep else _sports_car)(body, r.local["lamp"])
    for name in ("front_wheel", "back_wheel"):
        wheel = body.at(r.local[name], 0.15 if jeep else 0.135, 2 * pi * pen.scene.pose.wheel)
        wheel.oval(0, 0, 1, 1, (34, 32, 38))
        wheel.dot(0, 0, 0.66, 0.66, (222, 226, 234))
        for k in range(5):
            a = 2 * pi * k / 5
            wheel.stroke([(0, 0), (0.6 * cos(a), 0.6 * sin(a))], 0.2, (60, 60, 76))


def _jeep(body: Pen, lamp: Point) -> None:
    green, dark, glass = (56, 140, 60), (34, 92, 42), (170, 220, 246)
    body.oval(-0.54, -0.08, 0.07, 0.13, (34, 32, 38))
    body.poly("-.46 -.1, -.44 -.38, .14 -.38, .24 -.1", (244, 232, 200))
    body.poly("-.38 -.1, -.37 -.29, -.16 -.29, -.16 -.1", glass, line=0)
    body.poly("-.1 -.1, -.1 -.29, .09 -.29, .16 -.1", glass, line=0)
    body.poly("-.5 .17, -.5 -.12, .5 -.12, .54 .17", green)
    body.poly("-.5 .17, -.5 .1, .53 .1, .54 .17", dark, line=0)
    body.stroke("0.06 -.05, .06 .06", 0.03, dark)
    body.oval(*lamp, 0.05, 0.055, (255, 240, 140))
    for x in (-0.32, 0.32):
        body.oval(x, 0.15, 0.19, 0.15, dark)


def _sports_car(body: Pen, lamp: Point) -> None:
    red, glass = (232, 26, 36), (64, 150, 230)
    body.poly("-.56 -.1, -.38 -.1, -.38 -.17, -.6 -.17", (150, 10, 24))
    body.blob("-.46 -.02, -.2 -.26, .06 -.26, .34 0", red)
    body.poly("-.28 -.06, -.15 -.2, .02 -.2, .2 -.06", glass, line=0)
    body.blob("-.62 .17, -.62 -.1, -.3 -.09, .2 -.09, .58 0, .66 .18", red)
    body.stroke("-.5 .06, .48 .06", 0.04, (255, 240, 240))
    body.dot(*lamp, 0.055, 0.035, (255, 240, 140), 0.2)


def _eater(pen: Pen) -> None:
    """An animal behind a table."""
    scene, r, z = pen.scene, rig(pen.scene), pen.scene.camera.zoom
    kit, body, j = _kit(scene), pen.at(r.root, r.unit), r.local
    x, y = j["neck"]
    _tail(body.at((0, 0.05), 1.1), kit)
    shoulders = [(x - 0.16, y - 0.04), (x + 0.16, y - 0.04)]
    body.blob([*shoulders, (0.25, 0.12), (0.24, 0.3), (-0.24, 0.3), (-0.25, 0.12)], kit.top)
    if scene.attribute == "pink clothes":
        body.stroke([(x, y + 0.05), (0, 0.2)], 0.035, HOT_PINK)
    else:
        body.dot(x * 0.5, 0.05, 0.13, 0.15, kit.belly)
    _head(body.at(j["head"], 0.25, r.nod), kit)
    table = pen.at((0.5 - 0.5 * z, 0.5 - 0.5 * z), z)
    table.poly("-.1 .775, 1.1 .775, 1.1 .93, -.1 .93", (232, 178, 116))
    table.box(-0.1, 0.93, 1.1, 1.3, (158, 98, 58))
    body.oval(j["food"][0], j["food"][1] + 0.16, 0.26, 0.06, (250, 252, 255))
    for name, s in (("left", -1), ("right", 1)):
        body.limb([(s * 0.21, 0.04), (s * 0.25, 0.11), j[f"{name}_hand"]], 0.1, kit.arms)
        body.oval(*j[f"{name}_hand"], 0.065, 0.055, kit.hands)


def _food(pen: Pen) -> None:
    """What is on the plate; bites are holes that grow one after the other."""
    r, pose = rig(pen.scene), pen.scene.pose
    pen = pen.at(r.root, r.unit).at(r.local["food"], 0.215, flip=-1.0 if pose.facing < 0 else 1.0)
    if pen.scene.food == "watermelon":
        arc = [(1.15 * cos(a / 10 * pi), 1.1 * sin(a / 10 * pi)) for a in range(11)]
        for share, color in ((1.0, (30, 140, 60)), (0.86, (220, 246, 190)), (0.78, (240, 50, 70))):
            pen.at((0, -0.35)).poly(
                [(x * share, y * share) for x, y in arc], color, float(share == 1.0)
            )
        for x, y in path("-.5 -.1, 0 -.1, .5 -.1, -.25 .2, .25 .2"):
            pen.dot(x, y, 0.07, 0.1, BLACK)
    elif pen.scene.food == "orange":
        pen.blob("0.05 -.65, .3 -1.1, .8 -1, .5 -.65", (40, 160, 60))
        pen.oval(0, 0, 0.8, 0.8, (255, 150, 0))
        pen.dot(-0.3, -0.28, 0.2, 0.15, (255, 214, 130), -0.6)
    else:
        pen.oval(0, 0.3, 1.2, 0.62, (190, 110, 50))
        pen.dot(0, 0.26, 1.02, 0.5, (255, 214, 80))
        for x, y in path("-.55 .2, 0 .02, .55 .2, -.2 .5, .34 .5"):
            pen.dot(x, y, 0.21, 0.13, (214, 40, 36))
    places = {"watermelon": "-.45 -.5, .45 -.5, 0 -.2", "orange": "-.4 -.7, .4 -.7, 0 -.15"}
    for k, (x, y) in enumerate(path(places.get(pen.scene.food, "-.5 -.15, .5 -.15, 0 .1"))):
        size = 0.62 * min(max(3 * pose.bite - k, 0.0), 1.0)
        if size > 0.02:
            pen.canvas.polygon(
                pen.place([(x + size * u, y + size * v) for u, v in CIRCLE]), (0, 0, 0, 0)
            )


# ---- styles

# colour times cover (size, size, 3), cover (size, size, 1) in 0 .. 1
Layer = tuple[np.ndarray, np.ndarray]


def _layer(scene: Scene, size: int, name: str, part) -> Layer:
    """Draws a part on a transparent sheet, large, and averages it down."""
    side, z = size * SUPER, scene.camera.zoom
    sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = Pen(ImageDraw.Draw(sheet), side, scene, name)
    part(pen if name == "figure" else pen.at((0.5 - 0.5 * z, 0.5 - 0.5 * z), z))
    flat = np.asarray(sheet.reduce(SUPER), np.float32)
    cover = flat[..., 3:] / 255
    return flat[..., :3] * cover, cover


def over(under: np.ndarray, color: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return color + under * (1 - cover)


def blur(image: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur of colours (0 .. 255) or of cover (0 .. 1)."""
    if image.shape[-1] == 1:
        return blur(image.repeat(3, -1) * 255, radius)[..., :1] / 255
    return np.asarray(
        Image.fromarray(to_bytes(image)).filter(ImageFilter.GaussianBlur(radius)), np.float32
    )


def to_bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)


def relief(cover: np.ndarray) -> np.ndarray:
    """Light from the upper left on a rounded figure: above 0 on the lit side, else below."""
    size = len(cover)
    d = max(size // 36, 1)
    soft = np.pad(blur(cover, size / 22), ((d, d), (d, d), (0, 0)), "edge")
    return (soft[2 * d :, 2 * d :] - soft[: -2 * d, : -2 * d]) * cover


@lru_cache(maxsize=200)
def _sky(background: str, style: str, size: int) -> np.ndarray:
    top, low = (np.float32(paint(c, style, "sky", background)) for c in SKIES[background])
    t = np.clip(np.linspace(0, 1.6, size, dtype=np.float32), 0, 1)[:, None, None]
    return np.broadcast_to(top * (1 - t) + low * t, (size, size, 3)).copy()


@lru_cache(maxsize=20)
def texture(kind: str, size: int) -> np.ndarray:
    """Fixed patterns of the paper, 0 .. 1: dots, rays, hatching, blotches, and white borders."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) * (128 / size)
    if kind == "dots":
        # dots and hatching repeat every 8 pixels of 128, one latent of the VAE, which then learns
        # them once
        u, v = (x - 3.5) / 8, (y - 3.5) / 8
        out = np.clip(2.9 - np.hypot(u - np.round(u), v - np.round(v)) * 8, 0, 1)
    elif kind == "rays":
        a = np.arctan2(y - 70, x - 64) / (2 * pi) * 14
        out = np.clip(
            (np.abs(a - np.floor(a) - 0.5) - 0.25) * np.hypot(x - 64, y - 70) / 4 + 0.5, 0, 1
        )
    elif kind == "hatch":
        d = (x + y + 1) / 8
        out = np.clip(2.0 - np.abs(d - np.round(d)) * 8, 0, 1)
    else:
        cells = np.random.default_rng(5).integers(0, 255, (7, 7), np.uint8)
        cells = Image.fromarray(cells).resize((size, size), Image.Resampling.BICUBIC)
        out = np.asarray(cells, np.float32) / 255
        if kind == "border":
            edge = np.minimum(np.minimum(x, 127 - x), np.minimum(y, 127 - y)) + 9 * (out - 0.5)
            out = np.clip((edge - 2) / 7, 0, 1)
    return out[..., None].astype(np.float32)


def _as_plain(back: np.ndarray, fronts: list[Layer]) -> np.ndarray:
    for color, cover in fronts:
        back = over(back, np.minimum(color * (1 + 0.55 * relief(cover)), 255 * cover), cover)
    return back


def _as_cartoon(back: np.ndarray, fronts: list[Layer]) -> np.ndarray:
    for front in fronts:
        back = over(back, *front)
    return back


def _as_comic(back: np.ndarray, fronts: list[Layer]) -> np.ndarray:
    for color, cover in fronts:
        shade = np.clip((-relief(cover) - 0.22) * 14, 0, 1)
        back = over(back, color * (1 - 0.34 * shade), cover)
    return back


def _as_sketch(back: np.ndarray, fronts: list[Layer]) -> np.ndarray:
    hatch = texture("hatch", len(back))
    back = back * (1 - 0.25 * hatch * np.clip(texture("blotch", len(back)) * 5 - 2.6, 0, 1))
    for color, cover in fronts:
        shade = np.clip((-relief(cover) - 0.12) * 8, 0, 1)
        back = over(back, color * (1 - 0.4 * shade * hatch), cover)
    return back


def _as_watercolor(back: np.ndarray, fronts: list[Layer]) -> np.ndarray:
    size = len(back)
    blotch, border = texture("blotch", size), texture("border", size)
    back = blur(back, size / 70) * (1 + 0.2 * (blotch - 0.5))
    back = back * border + np.float32(WHITE) * (1 - border)
    for color, cover in fronts:
        soft = blur(cover, size / 140)
        tone = blur(color, size / 140) / np.maximum(soft, 0.02)
        edge = np.clip(1 - blur(cover, size / 40), 0, 1)
        tone = tone * (1 - 0.35 * edge) * (1 + 0.24 * (blotch[::-1] - 0.5)) + 26 * (blotch - 0.4)
        back = np.clip(tone, 0, 255) * soft + back * (1 - soft)
    return back


def _as_pixels(back: np.ndarray, fronts: list[Layer]) -> np.ndarray:
    """32 x 32 blocks (4 x 4 pixels each in a frame of 128), few colours, the figure rimmed dark."""
    size, side = len(back), min(len(back), 32)

    def small(image):
        planes = (
            Image.fromarray(np.ascontiguousarray(image[..., k])) for k in range(image.shape[-1])
        )
        return np.stack(
            [np.asarray(p.resize((side, side), Image.Resampling.BOX)) for p in planes], -1
        )

    out = small(back)
    for color, cover in fronts:
        color, cover = small(color), small(cover)
        wide = np.pad(cover[..., 0], 1) > 0.5
        rim = (wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:])[..., None]
        out = np.where(rim, out * 0.45, out)
        out = np.where(cover > 0.5, color / np.maximum(cover, 0.5), out)
    out = to_bytes(np.round(out / 28.33) * 28.33)
    return np.asarray(
        Image.fromarray(out).resize((size, size), Image.Resampling.NEAREST), np.float32
    )


FINISHES = {"plain": _as_plain, "cartoon": _as_cartoon, "comic": _as_comic}
FINISHES |= {"sketch": _as_sketch, "watercolor": _as_watercolor, "pixel art": _as_pixels}
SETTINGS = {  # the ground under each action, and who acts on it
    "skiing": (_slope, [_figure]),
    "surfing": (_water, [_figure]),
    "moving": (_road, [_vehicle]),
    "eating": (_floor, [_eater, _food]),
}


def draw(scene: Scene, size: int = 128) -> Image.Image:
    """The picture of a scene, RGB, size by size pixels."""
    ground, actors = SETTINGS[scene.action]
    room = scene.action == "eating" and scene.background == "plain"
    back = _sky("room" if room else scene.background, scene.style, size)
    comic = scene.style == "comic"
    if comic:
        rays = 0.35 * texture("rays", size)
        back = back * (1 - rays) + np.float32([255, 232, 60]) * rays
    back = over(back, *_layer(scene, size, "sky", BACKDROPS[scene.background]))
    if comic:
        back = back * (1 - 0.3 * texture("dots", size) * np.float32([0.6, 1, 0.7]))
    back = over(back, *_layer(scene, size, "ground", ground))
    fronts = [_layer(scene, size, "figure", actor) for actor in actors]
    return Image.fromarray(to_bytes(FINISHES[scene.style](back, fronts)))


def sheet(rows: list[list[Scene]], size: int = 128) -> Image.Image:
    """A contact sheet."""
    out = Image.new("RGB", (size * max(map(len, rows)), size * len(rows)), WHITE)
    for i, row in enumerate(rows):
        for k, scene in enumerate(row):
            out.paste(draw(scene, size), (k * size, i * size))
    return out


def main(folder: str) -> None:
    """Writes a contact sheet and a film with an edit of it."""
    out, rng = Path(folder), random.Random(1)
    out.mkdir(parents=True, exist_ok=True)
    sheet([[random_scene(rng) for _ in range(10)] for _ in range(8)]).save(out / "sheet.png")
    film = clip(Scene(background="snow"), 24)
    film += edit(film, subject="spider man", background="beach", style="cartoon")
    frames = [draw(scene, 256) for scene in film]
    frames[0].save(out / "film.gif", save_all=True, append_images=frames[1:], duration=80, loop=0)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "world")

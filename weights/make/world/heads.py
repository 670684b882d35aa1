"""Heads, and what is worn on them.

A head is drawn about its centre, with its radius (20 pixels of a frame of 128) as unit; `face` is a
pen moved to where it looks.
"""

from math import cos, sin

from .pen import BLACK, WHITE, Pen
from .scenes import Color

GOLD, RED, TAN, AMBER = (252, 200, 48), (226, 28, 40), (246, 200, 160), (250, 130, 30)
CREAM = (255, 244, 224)
LOOK_ASIDE = 0.26  # how far the face of a subject with facing 1 is from the middle, in radii


def head(skull: Pen, kit) -> None:
    """A head with what is worn on it; kit: a figures.Kit."""
    face = skull.at((LOOK_ASIDE * skull.scene.pose.facing, 0))
    HEADS.get(skull.scene.subject, _animal)(skull, face, kit)
    _worn(skull, face, skull.scene.attribute)


def _eyes(face: Pen, y: float, apart: float, white: Color | None = WHITE) -> None:
    """Two eyes, each 10 pixels wide with its white and 6 without."""
    for side in (-1, 1):
        if white:
            face.dot(side * apart, y, 0.25, 0.3, white)
        face.dot(side * apart + (0.04 if white else 0), y + 0.02, 0.16, 0.2, BLACK)


def _mouth(face: Pen, y: float, wide: float = 0.26) -> None:
    face.stroke([(-wide, y), (0, y + 0.09), (wide, y)], 0.17, (186, 52, 56))


def _person(skull: Pen, face: Pen, kit) -> None:
    skull.oval(0, 0, 0.98, 1.0, kit.skin)
    _eyes(face, 0.08, 0.37)
    _mouth(face, 0.55)
    turn = skull.scene.pose.facing
    if skull.scene.subject == "boy":
        skull.blob("-1.08 -.15, -1 -.95, 0 -1.3, 1 -.95, 1.08 -.15, 0 -.32", kit.extra)
        skull.limb([(0.85 * turn - 0.42, -0.32), (0.85 * turn + 0.42, -0.32)], 0.26, kit.extra)
        return
    part = LOOK_ASIDE * turn
    fringe = [(0.86, -0.28), (part + 0.3, -0.56), (part - 0.3, -0.42), (-0.86, -0.28)]
    sides = [(-1.14, 0.35), (-1.12, -0.8), (0, -1.26), (1.12, -0.8), (1.14, 0.35)]
    skull.blob([*sides, *fringe], kit.extra)
    if skull.scene.subject == "wonder woman":
        skull.stroke([(-0.85, -0.42), (part, -0.54), (0.85, -0.42)], 0.22, GOLD)
        face.poly("-.24 -.54, 0 -.9, .24 -.54, 0 -.34", GOLD, line=0)
        face.dot(0, -0.56, 0.14, 0.14, RED)


def _spider(skull: Pen, face: Pen, kit) -> None:
    skull.oval(0, 0, 0.94, 1.04, kit.skin)
    middle = LOOK_ASIDE * skull.scene.pose.facing
    for a in (-1.57, 1.57):
        skull.stroke([(middle, 0.05), (0.88 * cos(a), 0.96 * sin(a))], 0.12, (150, 12, 26))
    for half in face.both():
        half.blob("-.06 .38, .06 -.18, .98 -.6, .9 .36, .4 .62", BLACK, line=0)
        half.blob("0.1 .22, .22 -.04, .8 -.36, .72 .2, .4 .44", WHITE, line=0)


def _iron(skull: Pen, face: Pen, kit) -> None:
    skull.blob("-1 -.9, 0 -1.3, 1 -.9, 1.05 .5, .6 1.1, -.6 1.1, -1.05 .5", kit.skin)
    face.blob("-.66 -.5, 0 -.34, .66 -.5, .7 .5, .36 .98, -.36 .98, -.7 .5", kit.extra, line=0.7)
    eye = BLACK if face.scene.style == "sketch" else (235, 255, 255)
    for half in face.both():
        half.stroke("0.2 .1, .46 .04", 0.24, eye)
    face.stroke("-.2 .62, .2 .62", 0.17, (150, 90, 10))


def _mickey(skull: Pen, face: Pen, kit) -> None:
    pose = skull.scene.pose
    for side in (-1, 1):
        ear = (side * 0.88 - 0.08 * pose.facing, -0.86 + 0.06 * pose.ears * side)
        skull.oval(*ear, 0.56, 0.56, kit.skin)
    skull.oval(0, 0, 0.98, 0.96, kit.skin)
    for side in (-1, 1):
        face.dot(side * 0.32, -0.1, 0.38, 0.56, TAN)
    face.dot(0, 0.42, 0.74, 0.46, TAN)
    _eyes(face, -0.1, 0.28, None)
    face.dot(0.08 * pose.facing, 0.28, 0.22, 0.16, BLACK)
    _mouth(face, 0.58, 0.3)


def _robot(skull: Pen, face: Pen, kit) -> None:
    tip = 0.12 * skull.scene.pose.ears
    skull.limb([(0, -0.8), (tip, -1.22)], 0.22, (90, 100, 110))
    skull.oval(tip, -1.3, 0.24, 0.24, kit.extra)
    for half in skull.both():
        half.box(0.9, -0.25, 1.22, 0.3, kit.hands)
    skull.box(-1, -0.88, 1, 0.85, kit.skin)
    face.box(-0.74, -0.54, 0.74, 0.28, (12, 50, 66), line=0)
    for side in (-1, 1):
        face.dot(side * 0.36, -0.12, 0.23, 0.25, (255, 236, 60))
    face.stroke("-.4 .56, .4 .56", 0.19, (12, 50, 66))


def _astronaut(skull: Pen, face: Pen, kit) -> None:
    for side in (-1, 1):
        skull.oval(side * 0.98, 0.1, 0.22, 0.36, AMBER)
    skull.oval(0, 0, 1.08, 1.06, kit.skin)
    face.oval(0, 0.08, 0.84, 0.72, AMBER, line=0.7)
    face.dot(0, 0.08, 0.68, 0.56, (24, 80, 200))
    face.dot(-0.26, -0.14, 0.24, 0.15, (170, 220, 255), -0.5)


def _ears(skull: Pen, kit) -> None:
    """Ears that stand up; those that hang down come last of all."""
    who, bob, f = skull.scene.subject, skull.scene.pose.ears, skull.scene.pose.facing
    skull = skull.at((-0.08 * f, 0))
    for half, side in zip(skull.both(), (-1, 1)):
        if who == "rabbit":
            tip = (0.62 + 0.16 * bob - 0.1 * f * side, -1.75 + 0.1 * bob * side)
            ear = [(0.42, -0.75), (0.5, -1.25), tip]
            half.limb(ear, 0.52, kit.skin)
            half.stroke(ear, 0.24, kit.extra)
        elif who == "cat":
            half.poly([(0.15, -0.8), (0.92 + 0.06 * bob * side, -1.46), (1.04, -0.15)], kit.skin)
            inner = [(0.42, -0.78), (0.87 + 0.06 * bob * side, -1.14), (0.9, -0.45)]
            half.poly(inner, kit.extra, line=0)
        elif who != "puppy":
            y = -0.78 + 0.05 * bob * side
            half.oval(0.76, y, 0.44, 0.44, kit.extra if who == "panda" else kit.skin)
            if who != "panda":
                half.dot(0.76, y, 0.24, 0.24, kit.extra if who == "raccoon" else CREAM)


def _animal(skull: Pen, face: Pen, kit) -> None:
    who, f = skull.scene.subject, skull.scene.pose.facing
    _ears(skull, kit)
    skull.oval(0, 0, 1.08, 0.98, kit.skin)
    if who in MARKS:
        MARKS[who](skull, face, kit)
    muzzle = face.at((0.06 * f, 0))
    muzzle.dot(0, 0.46, 0.52, 0.4, kit.belly)
    _eyes(face, -0.06, 0.42)
    nose = (230, 90, 120) if who in ("cat", "rabbit") else BLACK
    muzzle.dot(0.04 * f, 0.3, 0.21, 0.15, nose)
    muzzle.stroke("-.2 .6, 0 .66, .2 .6", 0.15, (150, 60, 60))
    if who == "puppy":
        bob = skull.scene.pose.ears
        for half, side in zip(skull.at((-0.08 * f, 0)).both(), (-1, 1)):
            ear = [(0.8, -0.62), (1.08, 0.02), (1.1 + 0.14 * bob * side, 0.66 - 0.18 * bob)]
            half.limb(ear, 0.46, kit.extra)


def _panda_marks(skull: Pen, face: Pen, kit) -> None:
    for half in face.both():
        half.dot(0.43, 0.0, 0.4, 0.48, kit.extra, 0.5)


def _raccoon_marks(skull: Pen, face: Pen, kit) -> None:
    for half in face.both():
        half.blob("-.1 -.1, .4 -.5, 1.08 -.2, .98 .46, .4 .42, -.1 .3", kit.extra, line=0)
    face.stroke("0 -.8, 0 -.35", 0.22, kit.belly)


def _tiger_marks(skull: Pen, face: Pen, kit) -> None:
    for half in skull.both():
        half.poly("1.06 -.3, .66 -.1, 1.08 .06", kit.extra, line=0)
        half.poly("1.04 .22, .64 .36, .92 .54", kit.extra, line=0)
    for x in (-0.36, 0.0, 0.36):
        face.stroke([(x, -0.84), (x * 0.8, -0.54)], 0.19, kit.extra)


def _cat_marks(skull: Pen, face: Pen, kit) -> None:
    for side in (-1, 1):
        face.dot(side * 0.42, -0.05, 0.33, 0.36, (190, 240, 90))


MARKS = {"panda": _panda_marks, "raccoon": _raccoon_marks, "tiger": _tiger_marks, "cat": _cat_marks}
HEADS = {
    "man": _person,
    "woman": _person,
    "boy": _person,
    "wonder woman": _person,
    "spider man": _spider,
    "iron man": _iron,
    "mickey mouse": _mickey,
    "robot": _robot,
    "astronaut": _astronaut,
}


def _worn(skull: Pen, face: Pen, attribute: str) -> None:
    """Hats and glasses."""
    leather, lens = (156, 90, 34), (16, 14, 22)
    if attribute == "cowboy hat":
        skull.blob("-1.75 -.98, -1.2 -.58, 0 -.45, 1.2 -.58, 1.75 -.98, 1 -.83, -1 -.83", leather)
        skull.blob(
            "-.88 -.62, -.74 -1.5, -.3 -1.64, 0 -1.46, .3 -1.64, .74 -1.5, .88 -.62", leather
        )
        skull.stroke("-.68 -.82, 0 -.74, .68 -.82", 0.22, (206, 40, 40))
    elif attribute == "birthday hat":
        skull.poly("-.76 -.64, 0 -1.95, .76 -.64, 0 -.52", (255, 226, 40))
        for y, w in ((-0.88, 0.5), (-1.32, 0.25)):
            skull.stroke([(-w, y), (w, y + 0.02)], 0.22, (40, 110, 240))
        skull.oval(0, -1.92, 0.27, 0.27, (240, 40, 90))
    elif attribute == "sunglasses":
        for half in face.both():
            half.blob("0.04 -.34, 1.0 -.38, .98 .38, .3 .46", lens)
        face.stroke("-.95 -.2, .95 -.2", 0.2, lens)
        for x in (-0.47, 0.47):
            face.stroke([(x - 0.1, 0.16), (x + 0.12, -0.1)], 0.17, (160, 210, 250))

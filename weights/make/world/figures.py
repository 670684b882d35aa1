"""Skiers and surfers: what they wear, their bodies, and what they ride on.

Lengths are in figure heights (100 pixels of a frame of 128), about the hip. Nothing is thinner than
4 pixels.
"""

from dataclasses import dataclass
from math import cos, hypot, sin

from .heads import head
from .pen import BLACK, WHITE, Pen, Point, mix
from .scenes import ANIMALS, DYES, FOLK, HAIRS, SKINS, Color, Scene
from .skeletons import rig

RED, GOLD, TAN, TEAL = (226, 28, 40), (252, 200, 48), (246, 200, 160), (20, 176, 172)
BLUE, DARK_RED, PINK, HOT_PINK = (34, 72, 206), (206, 24, 30), (255, 96, 178), (214, 30, 128)
STEEL, SUIT, AMBER = (16, 120, 130), (226, 232, 244), (250, 130, 30)
CREAM, SOOT, RUST = (255, 244, 224), (58, 44, 46), (196, 84, 40)


@dataclass(frozen=True)
class Kit:
    """The colours of a figure."""

    skin: Color  # or fur
    top: Color
    bottom: Color
    legs: Color
    arms: Color
    hands: Color
    shoes: Color
    extra: Color = BLACK  # hair, ears, stripes, cap or trim
    belly: Color | None = None
    tail: float = 0.0  # thickness of a long tail, in figure heights
    shins: Color | None = None  # below short trousers
    forearms: Color | None = None  # below short sleeves
    second: Color | None = None  # the other colour of a jacket with a pattern


COSTUMES = {
    "spider man": Kit(RED, RED, BLUE, BLUE, BLUE, RED, RED),
    "wonder woman": Kit(TAN, RED, BLUE, TAN, TAN, TAN, RED, (30, 22, 40)),
    "iron man": Kit(DARK_RED, DARK_RED, DARK_RED, DARK_RED, GOLD, DARK_RED, DARK_RED, GOLD),
    "mickey mouse": Kit(
        BLACK, BLACK, (232, 30, 36), BLACK, BLACK, WHITE, (255, 208, 20), tail=0.045
    ),
    "robot": Kit(TEAL, TEAL, STEEL, STEEL, STEEL, (255, 190, 40), (10, 84, 96), (240, 60, 60)),
    "astronaut": Kit(WHITE, SUIT, SUIT, SUIT, SUIT, AMBER, AMBER),
}
FURS = {  # of each animal: fur, ears and markings, belly; the last is held out
    "panda": (
        (WHITE, BLACK, WHITE),
        (CREAM, (108, 66, 44), CREAM),
        ((208, 212, 222), (54, 62, 92), (226, 228, 236)),
        ((255, 226, 200), RUST, (255, 226, 200)),
    ),
    "raccoon": (
        ((156, 140, 128), SOOT, (226, 210, 194)),
        ((116, 120, 134), (40, 40, 56), (206, 208, 216)),
        ((200, 168, 124), (96, 62, 44), (246, 228, 200)),
        ((214, 106, 52), (112, 44, 30), (255, 226, 196)),
    ),
    "rabbit": (
        ((214, 200, 228), (255, 150, 180), (248, 240, 252)),
        ((176, 128, 88), (240, 166, 160), (240, 220, 196)),
        ((158, 162, 174), (246, 160, 180), (224, 226, 232)),
        ((84, 72, 92), (220, 120, 160), (190, 180, 200)),
    ),
    "tiger": (
        ((248, 140, 24), (50, 26, 16), (255, 240, 214)),
        ((238, 238, 244), (60, 60, 78), (255, 255, 255)),
        ((250, 196, 70), (112, 60, 24), (255, 244, 210)),
        ((120, 168, 214), (30, 40, 84), (226, 240, 252)),
    ),
    "puppy": (
        ((176, 112, 58), (104, 56, 26), (244, 216, 176)),
        ((238, 190, 104), (196, 134, 56), (255, 236, 200)),
        ((244, 240, 234), (150, 92, 52), (255, 255, 255)),
        ((66, 60, 70), (34, 30, 40), (206, 160, 104)),
    ),
    "cat": (
        ((96, 122, 172), (255, 160, 176), (214, 224, 240)),
        ((240, 150, 60), (255, 176, 170), (255, 234, 206)),
        ((64, 60, 76), (230, 130, 160), (170, 164, 180)),
        ((244, 226, 200), (110, 74, 62), (255, 246, 232)),
    ),
}
TAILS = {"raccoon": 0.14, "tiger": 0.085, "puppy": 0.065, "cat": 0.075}


def kit_of(scene: Scene) -> Kit:
    """What the scene's subject wears, or its fur; in pink clothes if it says so."""
    who, looks = scene.subject, scene.looks
    if who in FOLK:
        kit = _clothes(scene)
    elif who in ANIMALS:
        fur, extra, belly = FURS[who][looks.fur]
        limbs = extra if who == "panda" else fur
        paws = extra if who in ("panda", "raccoon") else fur
        kit = Kit(fur, fur, limbs, limbs, limbs, paws, paws, extra, belly, TAILS.get(who, 0.0))
    else:
        kit = COSTUMES[who]
    if scene.attribute == "pink clothes":
        kit = Kit(
            kit.skin, PINK, PINK, PINK, PINK, kit.hands, kit.shoes, kit.extra, kit.belly, kit.tail
        )
    return kit


def _clothes(scene: Scene) -> Kit:
    """A person's jacket, trousers and shoes, as looks and named colour say."""
    looks = scene.looks
    skin, jacket, trousers = SKINS[looks.skin], DYES[scene.jacket], DYES[looks.trousers]
    return Kit(
        skin,
        jacket,
        trousers,
        trousers,
        jacket,
        skin,
        DYES[looks.shoes],
        DYES[looks.second] if scene.subject == "boy" else HAIRS[looks.hair],
        shins=skin if scene.subject == "boy" else None,
        forearms=skin if looks.sleeves == "short" else None,
        second=None if looks.pattern == "plain" else DYES[looks.second],
    )


def figure(pen: Pen) -> None:
    """A skier or a surfer with everything it rides on and holds."""
    scene, r = pen.scene, rig(pen.scene)
    kit, body, j = kit_of(scene), pen.at(r.root, r.unit, r.angle), r.local
    skull = body.at(j["head"], 0.205, r.nod)
    tail(body, kit)
    if scene.subject in ("woman", "wonder woman"):
        _long_hair(skull, kit)
    (_skis if scene.action == "skiing" else _board)(body, j)
    for name, side in (("left", -1), ("right", 1)):
        _leg(body, kit, (0.06 * side, 0.0), j[f"{name}_knee"], j[f"{name}_foot"])
    _torso(body, kit, j["neck"])
    for name, side in (("left", -1), ("right", 1)):
        _arm(body, kit, side, j[f"{name}_shoulder"], j[f"{name}_elbow"], j[f"{name}_hand"])
    head(skull, kit)


def _long_hair(skull: Pen, kit: Kit) -> None:
    """Hair that falls over the shoulders and sways."""
    pose = skull.scene.pose
    sway = 0.25 * pose.ears - 0.25 * pose.facing
    ends = [(1.15 + sway, 1.55), (sway, 1.3), (-1.15 + sway, 1.55)]
    skull.blob([(-1.2, 0.2), (-0.9, -0.8), (0.9, -0.8), (1.2, 0.2), *ends], kit.extra)


def _leg(body: Pen, kit: Kit, hip: Point, knee: Point, foot: Point) -> None:
    body.limb([hip, knee, foot], 0.115, kit.shins or kit.legs)
    if kit.shins:
        body.limb([hip, knee], 0.12, kit.legs)
    body.oval(foot[0] + 0.02 * body.scene.pose.facing, foot[1], 0.085, 0.06, kit.shoes)


def _arm(body: Pen, kit: Kit, side: int, shoulder: Point, elbow: Point, hand: Point) -> None:
    sleeve = kit.arms
    if kit.second and body.scene.looks.pattern == "halves" and side > 0:
        sleeve = kit.second
    body.limb([shoulder, elbow, hand], 0.095, kit.forearms or sleeve)
    if kit.forearms:
        body.limb([shoulder, elbow], 0.105, sleeve)
    body.oval(*hand, 0.06, 0.06, kit.hands)


def _skis(body: Pen, j: dict[str, Point]) -> None:
    """Skis under the feet, poles from the hands to the snow behind."""
    f, color = body.scene.pose.facing, DYES[body.scene.looks.gear]
    dx, dy = 0.36 * f, 0.05 + 0.16 * (1 - abs(f))
    for name, side in (("left", -1), ("right", 1)):
        x, y = j[f"{name}_foot"]
        tip = (x + dx + 0.04 * side * (1 - abs(f)), y + 0.04 + dy)
        bend = (tip[0] + 0.05 * f, tip[1] - 0.05 * abs(f))
        body.limb([(x - 0.75 * dx, y + 0.04 - 0.75 * dy), tip, bend], 0.06, color, line=0.8)
        x, y = j[f"{name}_hand"]
        pole = [(x, y - 0.05), (x - 0.16 * f + 0.05 * side, y + 0.30)]
        body.limb(pole, 0.045, (84, 70, 120), line=0.4)


def _board(body: Pen, j: dict[str, Point]) -> None:
    """A surfboard under both feet, with spray at its tail while it is on the water."""
    (ax, ay), (bx, by) = j["left_foot"], j["right_foot"]
    scene = body.scene
    f, pan = scene.pose.facing, scene.camera.pan
    body = body.at(((ax + bx) / 2, (ay + by) / 2 + 0.035))
    for k in range(4) if scene.pose.lift == 0 else ():
        x, y = -f * (0.30 + 0.075 * k), 0.03 - 0.035 * k + 0.02 * sin(9 * pan + 2 * k)
        body.dot(x, y, 0.055 + 0.02 * k, 0.05 + 0.016 * k, WHITE)
    c, s = cos(0.12 * f), sin(0.12 * f)
    body.oval(0, 0, 0.46, 0.082, DYES[scene.looks.gear], 0.12 * f)
    body.stroke([(-0.30 * c, -0.30 * s), (0.30 * c, 0.30 * s)], 0.045, WHITE)


def tail(body: Pen, kit: Kit) -> None:
    """Tails stick out behind, wagging with the ears."""
    f, wag, who = -body.scene.pose.facing, 0.05 * body.scene.pose.ears, body.scene.subject
    if who in ("rabbit", "panda"):
        body.oval(0.16 * f, 0.0, 0.085, 0.085, kit.belly if who == "rabbit" else kit.extra)
    elif kit.tail:
        long = 0.7 if who in ("puppy", "mickey mouse") else 1.0
        bend = ((0.05, 0.05), (0.27, 0.06), (0.38, wag - 0.05), (0.42, wag - 0.22))
        bend = [(x * long * f, y * long) for x, y in bend]
        body.limb(bend, kit.tail, kit.skin)
        if who in ("raccoon", "tiger"):
            _rings(body, bend, kit)


def _rings(body: Pen, bend: list[Point], kit: Kit) -> None:
    """Dark rings across a tail, one on each of its outer parts."""
    for a, b in zip(bend[1:], bend[2:]):
        long = max(hypot(b[0] - a[0], b[1] - a[1]), 0.01)
        u, v = (a[1] - b[1]) / long * kit.tail * 0.4, (b[0] - a[0]) / long * kit.tail * 0.4
        x, y = mix(a, b, 0.5)
        body.stroke([(x - u, y - v), (x + u, y + v)], 0.055, kit.extra)


def _torso(body: Pen, kit: Kit, neck: Point) -> None:
    """Body and what is on its front; the pen for details is at the middle of the chest."""
    (x, y), scene = neck, body.scene
    left = [(-0.145, 0.09), (x - 0.165, -0.1), (x - 0.14, y)]
    right = [(x + 0.14, y), (x + 0.165, -0.1), (0.145, 0.09)]
    body.blob([*left, *right], kit.top)
    chest = body.at((x * 0.5 + 0.03 * scene.pose.facing, y * 0.5))
    if scene.attribute == "pink clothes":
        chest.stroke("-.1 .17, .1 .17", 0.055, HOT_PINK)
    elif kit.belly:
        chest.dot(0, 0, 0.1, 0.12, kit.belly)
        if scene.subject == "puppy":
            chest.stroke("-.09 -.085, .09 -.085", 0.055, RED)
    elif scene.subject in FOLK:
        _pattern(body, kit, neck)
        chest.stroke("-.09 .18, .09 .18", 0.06, kit.bottom)
    else:
        FRONTS[scene.subject](chest, kit)


def _pattern(body: Pen, kit: Kit, neck: Point) -> None:
    """Bands across a striped jacket, or the other half of one in two colours."""
    x, y = neck
    if kit.second and body.scene.looks.pattern == "striped":
        for share in (0.3, 0.72):
            middle, at = x * (1 - share), y * (1 - share) + 0.07 * share
            body.stroke([(middle - 0.1, at), (middle + 0.1, at)], 0.06, kit.second)
    elif kit.second:
        right = [(0.0, 0.06), (x, y + 0.01), (x + 0.13, y + 0.01), (x + 0.15, -0.1), (0.135, 0.07)]
        body.blob(right, kit.second, line=0)


def _spider_front(chest: Pen, kit: Kit) -> None:
    for half in chest.both():
        half.poly("0.16 -.04, .14 .2, .08 .2", BLUE, line=0)
        half.stroke("0 0, .07 -.05", 0.035, BLACK)
        half.stroke("0 0, .07 .05", 0.035, BLACK)
    chest.dot(0, 0, 0.04, 0.055, BLACK)


def _wonder_front(chest: Pen, kit: Kit) -> None:
    chest.poly("-.13 .12, .13 .12, .2 .26, -.2 .26", kit.bottom)
    chest.stroke("-.12 .12, .12 .12", 0.05, GOLD)
    chest.poly("-.11 -.07, 0 -.03, .11 -.07, 0 .06", GOLD, line=0)


def _iron_front(chest: Pen, kit: Kit) -> None:
    chest.dot(0, -0.01, 0.085, 0.085, GOLD)
    chest.dot(0, -0.01, 0.055, 0.055, (200, 252, 255))


def _mickey_front(chest: Pen, kit: Kit) -> None:
    chest.blob("-.155 .06, .155 .06, .18 .24, .02 .24, -.02 .24, -.18 .24", kit.bottom)
    for half in chest.both():
        half.dot(0.06, 0.12, 0.032, 0.04, WHITE)


def _robot_front(chest: Pen, kit: Kit) -> None:
    chest.poly("-.17 -.1, .17 -.1, .16 .21, -.16 .21", kit.top)
    for x, color in ((-0.08, RED), (0.0, GOLD), (0.08, (120, 255, 120))):
        chest.dot(x, 0.0, 0.034, 0.034, color)


def _astronaut_front(chest: Pen, kit: Kit) -> None:
    chest.stroke("-.12 .17, .12 .17", 0.05, AMBER)
    chest.box(-0.075, -0.045, 0.075, 0.06, (60, 130, 230), line=0)


FRONTS = {
    "spider man": _spider_front,
    "wonder woman": _wonder_front,
    "iron man": _iron_front,
    "mickey mouse": _mickey_front,
    "robot": _robot_front,
    "astronaut": _astronaut_front,
}

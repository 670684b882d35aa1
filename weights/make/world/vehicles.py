"""Vehicles, and the animals that sit at a table with what they eat."""

from math import cos, pi, sin

from .figures import HOT_PINK, kit_of, tail
from .heads import head
from .pen import BLACK, CIRCLE, Pen, Point, mix, path
from .scenes import DYES
from .skeletons import rig

RUBBER, GLASS, LAMP = (34, 32, 38), (160, 212, 246), (255, 240, 140)


def vehicle(pen: Pen) -> None:
    """A vehicle seen from the side, on turning wheels."""
    scene, r = pen.scene, rig(pen.scene)
    jeep = scene.subject == "jeep"
    body = pen.at(r.root, r.unit, r.angle, r.flip)
    paint, trim = DYES[scene.paint], DYES[scene.looks.trim]
    (_jeep if jeep else _sports_car)(body, paint, trim, r.local["lamp"])
    for name in ("front_wheel", "back_wheel"):
        wheel = body.at(r.local[name], 0.165 if jeep else 0.15, 2 * pi * scene.pose.wheel)
        wheel.oval(0, 0, 1, 1, RUBBER)
        wheel.dot(0, 0, 0.62, 0.62, (222, 226, 234))
        for k in range(3):
            a = 2 * pi * k / 3
            wheel.stroke([(0, 0), (0.5 * cos(a), 0.5 * sin(a))], 0.28, (70, 70, 86))


def _jeep(body: Pen, paint, trim, lamp: Point) -> None:
    dark = tuple(map(int, mix(paint, BLACK, 0.4)))
    body.oval(-0.54, -0.08, 0.08, 0.14, RUBBER)
    body.poly("-.47 -.1, -.45 -.42, .15 -.42, .26 -.1", trim)
    body.poly("-.38 -.1, -.37 -.32, -.16 -.32, -.16 -.1", GLASS, line=0)
    body.poly("-.09 -.1, -.09 -.32, .09 -.32, .17 -.1", GLASS, line=0)
    body.poly("-.51 .17, -.51 -.13, .51 -.13, .55 .17", paint)
    body.poly("-.51 .17, -.51 .09, .54 .09, .55 .17", dark, line=0)
    body.oval(*lamp, 0.055, 0.06, LAMP)
    for x in (-0.32, 0.32):
        body.oval(x, 0.15, 0.2, 0.16, dark)


def _sports_car(body: Pen, paint, trim, lamp: Point) -> None:
    dark = tuple(map(int, mix(paint, BLACK, 0.4)))
    body.poly("-.56 -.08, -.36 -.08, -.36 -.18, -.62 -.18", dark)
    body.blob("-.46 -.02, -.2 -.29, .06 -.29, .36 0", paint)
    body.poly("-.28 -.06, -.15 -.21, .02 -.21, .21 -.06", GLASS, line=0)
    body.blob("-.62 .18, -.62 -.11, -.3 -.1, .2 -.1, .58 -.01, .66 .19", paint)
    body.stroke("-.5 .05, .46 .05", 0.055, trim)
    body.dot(*lamp, 0.06, 0.045, LAMP, 0.2)


def eater(pen: Pen) -> None:
    """An animal behind a table."""
    scene, r, z = pen.scene, rig(pen.scene), pen.scene.camera.zoom
    kit, body, j = kit_of(scene), pen.at(r.root, r.unit), r.local
    x, y = j["neck"]
    tail(body.at((0, 0.05), 1.1), kit)
    shoulders = [(x - 0.17, y - 0.04), (x + 0.17, y - 0.04)]
    body.blob([*shoulders, (0.26, 0.12), (0.25, 0.3), (-0.25, 0.3), (-0.26, 0.12)], kit.top)
    if scene.attribute == "pink clothes":
        body.stroke([(x - 0.1, y + 0.06), (x + 0.1, y + 0.06)], 0.055, HOT_PINK)
    else:
        body.dot(x * 0.5, 0.05, 0.14, 0.16, kit.belly)
    head(body.at(j["head"], 0.26, r.nod), kit)
    table = pen.at((0.5 - 0.5 * z, 0.5 - 0.5 * z), z)
    table.poly("-.1 .765, 1.1 .765, 1.1 .93, -.1 .93", (232, 178, 116))
    table.box(-0.1, 0.93, 1.1, 1.3, (158, 98, 58))
    body.oval(j["food"][0], j["food"][1] + 0.16, 0.28, 0.065, (250, 252, 255))
    for name, side in (("left", -1), ("right", 1)):
        body.limb([(side * 0.21, 0.04), (side * 0.25, 0.11), j[f"{name}_hand"]], 0.105, kit.arms)
        body.oval(*j[f"{name}_hand"], 0.07, 0.06, kit.hands)


def food(pen: Pen) -> None:
    """What is on the plate; bites are holes that grow one after the other."""
    r, pose = rig(pen.scene), pen.scene.pose
    side = -1.0 if pose.facing < 0 else 1.0
    pen = pen.at(r.root, r.unit).at(r.local["food"], 0.235, flip=side)
    if pen.scene.food == "watermelon":
        arc = [(1.15 * cos(a / 10 * pi), 1.1 * sin(a / 10 * pi)) for a in range(11)]
        rinds = ((1.0, (30, 140, 60)), (0.84, (220, 246, 190)), (0.7, (240, 50, 70)))
        for share, color in rinds:
            outline = float(share == 1.0)
            pen.at((0, -0.35)).poly([(x * share, y * share) for x, y in arc], color, outline)
        for x, y in path("-.42 -.12, 0 -.02, .42 -.12"):
            pen.dot(x, y, 0.1, 0.13, BLACK)
    elif pen.scene.food == "orange":
        pen.blob("0.05 -.65, .3 -1.1, .8 -1, .5 -.65", (40, 160, 60))
        pen.oval(0, 0, 0.8, 0.8, (255, 150, 0))
        pen.dot(-0.3, -0.28, 0.2, 0.15, (255, 214, 130), -0.6)
    else:
        pen.oval(0, 0.3, 1.2, 0.62, (190, 110, 50))
        pen.dot(0, 0.26, 1.0, 0.46, (255, 214, 80))
        for x, y in path("-.55 .22, 0 .04, .55 .22, 0 .48"):
            pen.dot(x, y, 0.24, 0.15, (214, 40, 36))
    places = {"watermelon": "-.45 -.5, .45 -.5, 0 -.2", "orange": "-.4 -.7, .4 -.7, 0 -.15"}
    for k, (x, y) in enumerate(path(places.get(pen.scene.food, "-.5 -.15, .5 -.15, 0 .1"))):
        size = 0.62 * min(max(3 * pose.bite - k, 0.0), 1.0)
        if size > 0.06:
            hole = [(x + size * u, y + size * v) for u, v in CIRCLE]
            pen.canvas.polygon(pen.place(hole), (0, 0, 0, 0))

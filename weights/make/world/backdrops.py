"""What stands behind the subject and what it moves on, in shapes that 8 x 8 pixels can carry.

Everything is arranged by the scene's seed and scrolls with its camera. Coordinates and lengths are
shares of the frame; the pens that come in already zoom with the camera.
"""

from collections.abc import Callable
from dataclasses import replace
from math import ceil, cos, floor, pi, sin

import numpy as np

from .pen import CIRCLE, WHITE, Pen, mix, noise, paint, scroll, tint_of
from .scenes import Color, Pose, Scene
from .skeletons import HEIGHT, MIDDLE, TILT, joints

SKIES: dict[str, tuple[Color, Color]] = {  # colour at the top, at the horizon
    "plain": ((160, 204, 244), (240, 246, 248)),
    "snow": ((84, 160, 240), (204, 232, 252)),
    "beach": ((36, 160, 240), (170, 232, 250)),
    "desert": ((250, 190, 104), (255, 236, 180)),
    "grass": ((84, 172, 250), (206, 236, 255)),
    "city": ((176, 166, 214), (250, 222, 210)),
    "sunset": ((96, 44, 136), (246, 104, 88)),
    "night": ((10, 14, 52), (48, 52, 122)),
    "room": ((250, 238, 214), (246, 226, 198)),
}
GROUNDS: dict[str, tuple[Color, Color]] = {  # colour of the ground, of the marks on it
    "plain": ((246, 249, 253), (208, 220, 236)),
    "snow": ((240, 247, 255), (186, 210, 242)),
    "beach": ((246, 220, 150), (226, 188, 110)),
    "desert": ((234, 162, 88), (204, 122, 60)),
    "grass": ((120, 194, 70), (78, 154, 52)),
    "city": ((178, 174, 182), (144, 140, 154)),
    "sunset": ((250, 190, 170), (226, 142, 138)),
    "night": ((150, 168, 214), (108, 128, 188)),
}
PETALS = ((236, 54, 80), (255, 216, 40), WHITE, (190, 80, 220))
WALLS = ((196, 84, 72), (66, 106, 156), (222, 160, 88), (104, 84, 140), (84, 140, 132))
DEEPS = ((10, 108, 208), (8, 132, 176), (36, 84, 180))  # colours of the sea
DARK = (34, 34, 60)  # what shadows are mixed with


def sky(scene: Scene, size: int) -> np.ndarray:
    """The gradient behind everything: (size, size, 3) float32 in 0 .. 255."""
    room = scene.action == "eating" and scene.background == "plain"
    background, tint = scene.background, tint_of(scene.seed)
    colors = SKIES["room" if room else background]
    top, low = (np.float32(paint(c, scene.style, "sky", background, tint)) for c in colors)
    steep = 1.3 + 0.6 * noise(scene.seed, 70)
    share = np.clip(np.linspace(0, steep, size, dtype=np.float32), 0, 1)[:, None, None]
    return np.broadcast_to(top * (1 - share) + low * share, (size, size, 3)).copy()


def vary(pen: Pen, key: int, low: float, high: float) -> float:
    """A number between low and high that the scene's seed decides."""
    return low + (high - low) * noise(pen.scene.seed, 50, key)


def far(pen: Pen, low: float = 0.12, high: float = 0.88) -> tuple[float, float]:
    """Where the sun or the moon stands: off the middle of the frame; it hardly scrolls."""
    x = vary(pen, 1, low, high)
    x += 0.14 * (1 if x > 0.5 else -1) * max(0.0, 1 - abs(x - 0.5) / 0.2)
    return x - 0.05 * pen.scene.camera.pan, vary(pen, 2, 0.12, 0.24)


def hills(pen: Pen, key: int, depth: float, height: float, color: Color, line: float = 0.0) -> None:
    """A row of broad round hills that rise about `height` above the horizon."""
    spacing = vary(pen, key, 0.48, 0.8)
    for x, r in scroll(pen, depth, spacing, key, 0.5):
        pen.oval(x, 0.76, 0.34 + 0.24 * spacing, 0.1 + height * (0.6 + 0.8 * r), color, line=line)


def clouds(pen: Pen, key: int) -> None:
    """Large clouds, one to three in the frame."""
    for x, r in scroll(pen, 0.1, vary(pen, key, 0.5, 0.9), key, 0.3):
        cloud = pen.at((x, 0.1 + 0.2 * r), 0.26 + 0.14 * noise(pen.scene.seed, key, int(99 * r)))
        for u, v, size in ((-0.3, 0.05, 0.24), (0.32, 0.06, 0.22), (0.0, -0.04, 0.34)):
            cloud.dot(u, v, size * 1.25, size, WHITE)


def fir(pen: Pen) -> None:
    """A fir with snow on its top, 1.3 units tall. Trees stand at their pen's origin."""
    pen.box(-0.08, -0.2, 0.08, 0.1, (110, 70, 44))
    for y, w in ((-0.12, 0.46), (-0.55, 0.34)):
        pen.poly([(-w, y), (0, y - 0.75), (w, y)], (26, 116, 92))
    pen.poly("-.17 -.92, 0 -1.3, .17 -.92, 0 -1", WHITE, 0)


def palm(pen: Pen) -> None:
    """A palm, 1 unit tall."""
    pen.limb("0 .02, .05 -.35, .14 -.72", 0.085, (156, 100, 56))
    for a in (-2.7, -1.9, -0.9, -0.1, 2.9):
        p, q = cos(a), sin(a)
        side, tip = (0.24 * p, 0.22 * q - 0.12), (0.42 * p, 0.26 * q + 0.1)
        leaf = [(0, 0.05), side, tip, (side[0], side[1] + 0.15)]
        pen.at((0.14, -0.74)).blob(leaf, (34, 164, 76))


def tree(pen: Pen) -> None:
    """A round tree, 1.2 units tall."""
    pen.box(-0.09, -0.5, 0.09, 0.1, (132, 86, 52))
    pen.oval(0, -0.75, 0.36, 0.42, (58, 148, 70))
    pen.dot(-0.09, -0.84, 0.2, 0.22, (92, 176, 88))


# ---- backdrops


def plain(pen: Pen) -> None:
    """Pale hills; for an eater a room with a window."""
    if pen.scene.action == "eating":
        tall = vary(pen, 4, 0.15, 0.2)
        for x, _ in scroll(pen, 0.3, vary(pen, 3, 0.62, 0.9), 4, 0.3):
            pen.box(x - 0.17, 0.28 - tall, x + 0.17, 0.28 + tall, (206, 158, 112))
            pen.box(x - 0.125, 0.325 - tall, x + 0.125, 0.235 + tall, (156, 212, 246), 0)
            pen.dot(x, 0.2 + tall, 0.1, 0.05, (132, 200, 112))
        return
    hills(pen, 5, 0.15, vary(pen, 6, 0.1, 0.22), (222, 232, 242))
    hills(pen, 7, 0.3, vary(pen, 8, 0.02, 0.1), (208, 221, 235))


def snow(pen: Pen) -> None:
    """Mountains with white tops, some firs, a few large snowflakes."""
    for x, r in scroll(pen, 0.15, vary(pen, 9, 0.42, 0.66), 1, 0.45):
        peak = pen.at((x, 0.7), 0.32 + 0.22 * r)
        peak.poly("-.85 0, 0 -1, .85 0", (104, 136, 194))
        peak.poly("0 -1, .85 0, .3 0", (82, 112, 174), 0)
        peak.poly("-.36 -.58, 0 -1, .36 -.58, .12 -.64, -.14 -.5", WHITE, 0)
    for x, r in scroll(pen, 0.4, vary(pen, 10, 0.3, 0.6), 2):
        fir(pen.at((x, 0.68), 0.28 + 0.12 * r))
    if vary(pen, 11, 0, 1) < 0.6:
        for x, r in scroll(pen, 0.55, 0.22, 3, 0.05):
            pen.dot(x, 0.05 + 0.5 * r, 0.024, 0.024, WHITE)


def beach(pen: Pen) -> None:
    """The sea, the sand, the sun and palms."""
    x, y = far(pen)
    pen.oval(x, y, vary(pen, 3, 0.08, 0.12), vary(pen, 3, 0.08, 0.12), (255, 228, 70))
    if vary(pen, 12, 0, 1) < 0.5:
        clouds(pen, 13)
    horizon = vary(pen, 14, 0.42, 0.5)
    if vary(pen, 15, 0, 1) < 0.5:
        for u, r in scroll(pen, 0.1, 1.1, 16, 0.3):
            pen.oval(u, horizon + 0.02, 0.2 + 0.1 * r, 0.09 + 0.05 * r, (70, 150, 130))
    pen.box(-0.3, horizon, 1.3, 0.75, (0, 136, 194))
    pen.box(-0.3, horizon + 0.07, 1.3, 0.75, (20, 166, 208), 0)
    pen.box(-0.3, 0.595, 1.3, 1.2, GROUNDS["beach"][0])
    for u, r in scroll(pen, 0.55, vary(pen, 17, 0.6, 1.1), 2, 0.4):
        palm(pen.at((u, 0.68), 0.54 + 0.1 * r, flip=1 if r > 0.5 else -1))


def desert(pen: Pen) -> None:
    """The sun, table mountains, dunes and cactuses."""
    x, y = far(pen)
    pen.oval(x, y, vary(pen, 3, 0.07, 0.12), vary(pen, 3, 0.07, 0.12), (255, 250, 214))
    for u, r in scroll(pen, 0.15, vary(pen, 18, 0.55, 0.95), 1, 0.35):
        w, top = 0.13 + 0.1 * r, 0.32 + 0.16 * noise(pen.scene.seed, 19, int(99 * r))
        table = [(u - w - 0.07, 0.68), (u - w, top), (u + w, top), (u + w + 0.07, 0.68)]
        pen.poly(table, (204, 102, 70))
        shade = [(u + 0.3 * w, 0.68), (u + 0.3 * w, top), (u + w, top), (u + w + 0.07, 0.68)]
        pen.poly(shade, (178, 82, 62), 0)
    hills(pen, 20, 0.3, vary(pen, 21, 0.03, 0.14), (242, 184, 106))
    for u, r in scroll(pen, 0.55, vary(pen, 22, 0.42, 0.8), 3):
        cactus = pen.at((u, 0.7), 0.36 + 0.14 * r, flip=1 if r > 0.5 else -1)
        for arm in ("0 -.36, .3 -.38, .3 -.62", "0 -.26, -.28 -.28, -.28 -.5"):
            cactus.limb(arm, 0.16, (36, 138, 90))
        cactus.limb("0 .1, 0 -.82", 0.23, (36, 138, 90))


def grass(pen: Pen) -> None:
    """Clouds, green hills, and round trees or large flowers."""
    clouds(pen, 23)
    hills(pen, 24, 0.15, vary(pen, 25, 0.16, 0.26), (166, 216, 116))
    hills(pen, 26, 0.25, vary(pen, 27, 0.06, 0.15), (142, 206, 84))
    if vary(pen, 28, 0, 1) < 0.6:
        for x, r in scroll(pen, 0.4, vary(pen, 29, 0.4, 0.75), 3):
            tree(pen.at((x, 0.67), 0.3 + 0.16 * r))
    else:
        for x, r in scroll(pen, 0.4, 0.26, 3, 0.1):
            flower(pen.at((x, 0.52 + 0.05 * r), 0.052), PETALS[int(4 * r)])


def flower(pen: Pen, color: Color) -> None:
    """A round flower, two units wide, on its stalk."""
    pen.stroke("0 0, 0 2", 0.65, (52, 130, 46))
    pen.oval(0, 0, 1, 1, color, line=0.6)
    pen.dot(0, 0, 0.44, 0.44, (255, 170, 30))


def city(pen: Pen) -> None:
    """A pale row of towers and a near row of houses with large windows."""
    for x, r in scroll(pen, 0.15, 0.24, 1):
        pen.box(x - 0.13, 0.1 + 0.28 * r, x + 0.13, 0.75, (176, 162, 200), 0.7)
    width = vary(pen, 30, 0.32, 0.44)
    lit = (255, 236, 150) if vary(pen, 31, 0, 1) < 0.6 else (206, 232, 248)
    for x, r in scroll(pen, 0.4, width, 2):
        top, w = 0.2 + 0.24 * noise(pen.scene.seed, 32, int(r * 1e6)), 0.42 * width
        pen.box(x - w, top, x + w, 0.85, WALLS[int(r * 5)])
        for k in range(6):
            u, v = x + (0.48 if k % 2 else -0.48) * w, top + 0.055 + 0.13 * (k // 2)
            pen.box(u - 0.034, v, u + 0.034, v + 0.07, lit, 0)


def sunset(pen: Pen) -> None:
    """A large low sun in bands of light, behind dark hills or above the sea."""
    x, _ = far(pen, 0.15, 0.85)
    y, r = vary(pen, 33, 0.34, 0.5), vary(pen, 3, 0.14, 0.2)
    pen.box(-0.3, vary(pen, 53, 0.38, 0.46), 1.3, 0.8, (252, 128, 72), 0)
    pen.dot(x, y, r + 0.07, r + 0.07, (255, 170, 60))
    pen.oval(x, y, r, r, (255, 238, 130))
    if vary(pen, 34, 0, 1) < 0.35:
        pen.box(-0.3, 0.54, 1.3, 0.85, (122, 60, 130), 0)
        pen.dot(x, 0.6, r, 0.045, (255, 190, 90))
    else:
        hills(pen, 35, 0.15, vary(pen, 36, 0.1, 0.24), (156, 58, 112))
        hills(pen, 37, 0.3, vary(pen, 38, 0.03, 0.12), (112, 40, 104), 0.7)


def night(pen: Pen) -> None:
    """The moon, full or not, a few large stars, dark hills."""
    x, y = far(pen)
    moon, size = pen.at((x, y + 0.02)), vary(pen, 3, 0.1, 0.14)
    moon.dot(0, 0, size + 0.05, size + 0.05, (44, 50, 112))
    if vary(pen, 39, 0, 1) < 0.5:
        moon.dot(0, 0, size, size, (255, 246, 190))
    else:
        outer = [(cos(0.26 * k - 1.9), sin(0.26 * k - 1.9)) for k in range(18)]
        inner = [(0.6 * u - 0.36, 0.6 * v - 0.22) for u, v in reversed(outer)]
        moon.at((0, 0), size).poly(outer + inner[1:-1], (255, 246, 170), 0)
    for u, r in scroll(pen, 0.08, vary(pen, 40, 0.2, 0.3), 1, 0.05):
        v = 0.06 + 0.4 * noise(pen.scene.seed, int(r * 1e6))
        if abs(u - x) + abs(v - y) > 0.28:
            points = "0 -1.3, .42 -.42, 1.3 0, .42 .42, 0 1.3, -.42 .42, -1.3 0, -.42 -.42"
            pen.at((u, v), 0.034 + 0.016 * r).poly(points, (255, 255, 225), 0)
    hills(pen, 41, 0.2, vary(pen, 42, 0.1, 0.22), (40, 48, 104))
    hills(pen, 43, 0.3, vary(pen, 44, 0.03, 0.1), (54, 66, 128))


BACKDROPS: dict[str, Callable[[Pen], None]] = {
    drawn.__name__: drawn for drawn in (plain, snow, beach, desert, grass, city, sunset, night)
}

# ---- the ground


def landed(pose: Pose) -> Pose:
    """The same pose back on the ground and upright: undoes `skeletons.launched`."""
    arm, before = HEIGHT * pose.scale * MIDDLE, TILT * pose.lean
    after = before + pose.turn
    x = pose.x + arm * (sin(after) - sin(before))
    y = pose.y + arm * (cos(before) - cos(after)) + pose.lift
    return replace(pose, x=x, y=y, lift=0.0, turn=0.0)


def foothold(scene: Scene) -> tuple[float, float]:
    """The point on the ground under a figure's feet, before the camera's zoom."""
    points = joints(replace(scene, pose=landed(scene.pose), camera=replace(scene.camera, zoom=1.0)))
    (x1, y1), (x2, y2) = points["left_foot"], points["right_foot"]
    return (x1 + x2) / 2, (y1 + y2) / 2


def shadow(pen: Pen, x: float, y: float, width: float, ground: Color, color: Color = DARK) -> None:
    """A soft flat ellipse on the ground; it shrinks as the subject leaves the ground."""
    width *= 1 - min(1.6 * pen.scene.pose.lift, 0.5)
    for size, share in ((1.0, 0.12), (0.82, 0.24), (0.64, 0.34)):
        pen.dot(x, y, width * size, 0.2 * width * size, mix(ground, color, share))


def marks(pen: Pen, rows, depth: float = 0.8, fall: float = 0.0) -> None:
    """Broad streaks on the ground, or flowers in the grass, in rows at the given heights."""
    flowers = pen.scene.background == "grass" and vary(pen, 45, 0, 1) < 0.6
    for k, y in enumerate(rows):
        for x, r in scroll(pen, depth * (1 + 0.3 * k), 0.62, 10 + k):
            w, at = 0.1 + 0.08 * r, y + fall * (x - 0.5)
            ends = [(x - w, at - fall * w), (x + w, at + fall * w)]
            pen.stroke(ends, 0.034 + 0.01 * k, GROUNDS[pen.scene.background][1])
            if flowers and r > 0.4:
                flower(pen.at((x, at - 0.07), 0.048 + 0.006 * k), PETALS[int(40 * r) % 4])


def slope(pen: Pen) -> None:
    """A ski slope of the background's material, falling to one side, with the skier's shadow."""
    color, dark = GROUNDS[pen.scene.background]
    side, fall = (1 if vary(pen, 46, 0, 1) < 0.5 else -1), vary(pen, 47, 0.03, 0.08)
    tilted = pen.at((0.5, 0), flip=side)
    high, low = 0.65 - fall, 0.65 + fall
    top = [(-1.1, high), (-0.1, high), (0.3, low), (1.1, low)]
    tilted.blob([*top, (1.1, 1.6), (-1.1, 1.6)], color)
    tilted.blob("-1.1 .92, -.2 .93, .3 1, 1.1 .97, 1.1 1.6, -1.1 1.6", mix(color, dark, 0.5), 0)
    marks(pen, (0.735, 0.86), fall=side * fall)
    x, y = foothold(pen.scene)
    shadow(pen, x, y + 0.012, 0.27, color)


def road(pen: Pen) -> None:
    """A road with a dashed line, seen from the side, with the shadow of the car."""
    scene, gray, shift = pen.scene, (96, 96, 108), pen.scene.camera.pan
    pen.box(-0.5, vary(pen, 48, 0.6, 0.65), 1.5, 1.5, GROUNDS[scene.background][0])
    marks(pen, (0.69,))
    pen.box(-0.5, 0.745, 1.5, 1.5, gray)
    pen.box(-0.5, 0.745, 1.5, 0.785, (134, 134, 146), 0)
    for i in range(floor((shift - 0.5) / 0.44), ceil((shift + 1.5) / 0.44)):
        pen.at((i * 0.44 - shift, 0.925)).poly("0 0, .25 0, .24 .05, -.01 .05", (255, 244, 200), 0)
    shadow(pen, scene.pose.x, 0.88, 0.46, gray, (10, 10, 20))


def table_floor(pen: Pen) -> None:
    """The ground behind a table."""
    if pen.scene.background == "plain":
        pen.box(-0.5, 0.66, 1.5, 1.5, (206, 178, 146))
        return
    pen.box(-0.5, 0.66, 1.5, 1.5, GROUNDS[pen.scene.background][0])
    marks(pen, (0.71,))


def water(pen: Pen) -> None:
    """A breaking wave, high behind the rider, that runs along with the camera."""
    scene = pen.scene
    side = -1.0 if scene.pose.facing < 0 else 1.0
    travel, sea = scene.camera.pan * side, pen.at((0.5, 0), flip=side)
    deep = DEEPS[int(vary(pen, 49, 0, len(DEEPS)))]
    light = mix(deep, (110, 224, 255), 0.4)
    top, lip = vary(pen, 51, 0.26, 0.42), vary(pen, 52, -0.02, 0.06)
    crest = [(-0.9, top + 0.03), (-0.45, top), (-0.24 + lip, top + 0.12), (-0.08 + lip, 0.62)]
    sea.blob([(-0.9, 1.3), *crest, (0.2, 0.7), (0.9, 0.66), (0.9, 1.3)], deep)
    face = [(-0.9, top + 0.12), (-0.58, top + 0.07), (-0.34 + lip, top + 0.1), (-0.2 + lip, 0.6)]
    sea.blob([*face, (-0.02, 0.76), (-0.3, 0.8), (-0.9, 0.84)], light, 0)
    for row in range(3):
        for k in range(2):
            s = (k / 2 + 0.29 * row - travel * (0.8 + 0.1 * row) / 1.6) % 1.0
            x, y = -0.8 + 1.6 * s, 0.76 + 0.095 * row
            arc = [(u, y - 0.45 * max(0.0, -0.05 - u)) for u in (x - 0.13, x, x + 0.13)]
            sea.stroke(arc, 0.034 + 0.004 * row, mix(light, WHITE, 0.35))
    for k in range(6):
        s = (k / 6 - travel * 0.5) % 1.0
        x, size = -0.66 + (0.5 + lip) * s, 0.05 + 0.05 * sin(pi * s)
        foam = [(x + size * u, top - 0.01 + size * v + 0.7 * max(0.0, x + 0.36)) for u, v in CIRCLE]
        sea.poly(foam, (244, 251, 255), 0)
    x, y = foothold(scene)
    shadow(pen, x, y + 0.02, 0.3, deep, (250, 253, 255))

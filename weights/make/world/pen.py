"""The pen: filled shapes, outlined if the style says so, in a frame that moves and turns."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, cos, floor, pi, sin, sqrt

from PIL import ImageDraw

from .scenes import Color, Scene

Point = tuple[float, float]
PAPER, WHITE, BLACK = (250, 246, 236), (255, 255, 255), (24, 20, 28)
CIRCLE = [(cos(2 * pi * i / 28), sin(2 * pi * i / 28)) for i in range(28)]


@dataclass(frozen=True)
class Outline:
    """Outlines of a style, in pixels of a frame of 128."""

    near: float = 0.0  # around the figure
    far: float = 0.0  # around things in the backdrop
    ink: Color = (0, 0, 0)


OUTLINES = {
    "cartoon": Outline(2.6, 0.0, (44, 26, 56)),
    "comic": Outline(3.4, 2.6, (8, 6, 14)),
    "sketch": Outline(2.6, 2.2, (70, 64, 68)),
}
LIGHTS = {  # what is left of red, green and blue
    ("ground", "sunset"): (1.0, 0.80, 0.74),
    ("ground", "night"): (0.46, 0.52, 0.84),
    ("figure", "sunset"): (1.0, 0.93, 0.90),
    ("figure", "night"): (0.88, 0.92, 1.0),
}
TINTS = ((1, 1, 1), (1.06, 1.0, 0.93), (0.93, 0.99, 1.06), (1.05, 0.95, 1.02), (0.96, 1.04, 0.95))


def mix(a, b, share: float):
    """Colour or point between a (share 0) and b (share 1)."""
    return tuple(p + (q - p) * share for p, q in zip(a, b))


def noise(seed: int, *place: int) -> float:
    """A fixed random-looking number in 0 .. 1 for a seed and whole numbers."""
    h = (seed * 2654435761 + 97) & 0xFFFFFFFF
    for p in place:
        h = ((h ^ (p & 0xFFFF)) * 2246822519 + 374761393) & 0xFFFFFFFF
        h ^= h >> 15
    return (h * 3266489917 & 0xFFFFFFFF) / 4294967296


def tint_of(seed: int) -> Color:
    """How the seed tints the backdrop: factors of red, green and blue."""
    return TINTS[int(noise(seed, 77) * len(TINTS))]


@lru_cache(maxsize=50000)
def paint(color: Color, style: str, layer: str, background: str, tint=(1, 1, 1)) -> Color:
    """The colour as a style and the light of the place render it; layer: sky, ground or figure."""
    light = LIGHTS.get((layer, background), (1, 1, 1))
    color = tuple(v * k for v, k in zip(color, tint))
    c = color if style == "comic" else tuple(v * k for v, k in zip(color, light))
    luma = 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2]
    gray, dark = (luma,) * 3, background == "night" and layer != "figure"
    if style == "cartoon":
        c = mix(gray, c, 1.3)
    elif style == "comic":
        c = (min(max(round(v / 64) * 64, 0), 255) for v in mix(gray, c, 1.45))
        c = tuple(v * k for v, k in zip(c, light))
    elif style == "sketch":
        share = (
            0.62 if dark else 0.16 if layer != "figure" else 0.34 + 0.42 * max(0.0, 1 - luma / 110)
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
    """Draws on a canvas; its origin, unit of length, angle and handedness are a matrix (a b c d e
    f).
    """

    def __init__(self, canvas: ImageDraw.ImageDraw, side: int, scene: Scene, layer: str):
        outline = OUTLINES.get(scene.style, Outline())
        self.canvas, self.scene, self.layer, self.ink = canvas, scene, layer, (*outline.ink, 255)
        self.line = (outline.near if layer == "figure" else outline.far) * side / 128
        self.tint = (1, 1, 1) if layer == "figure" else tint_of(scene.seed)
        self.matrix = (side, 0.0, 0.0, side, 0.0, 0.0)

    def at(self, origin: Point, unit: float = 1.0, angle: float = 0.0, flip: float = 1.0) -> "Pen":
        """A pen whose origin, unit of length and angle (radians) are given in this one's terms."""
        pen = object.__new__(Pen)
        pen.__dict__.update(self.__dict__)
        a, b, c, d, _, _ = self.matrix
        p, q = unit * cos(angle), unit * sin(angle)
        turned = ((a * p + b * q) * flip, b * p - a * q, (c * p + d * q) * flip, d * p - c * q)
        pen.matrix = (*turned, *self.place([origin])[0])
        return pen

    def both(self) -> tuple["Pen", "Pen"]:
        """A pen for the left half of something symmetrical, whose x are mirrored, and for the
        right.
        """
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
        """The colour as this pen paints it, opaque."""
        scene = self.scene
        return (*paint(tuple(color), scene.style, self.layer, scene.background, self.tint), 255)

    def poly(self, points, color: Color, line: float = 1.0) -> None:
        """A filled polygon; line multiplies the width of the outline."""
        dots = self.place(points)
        if self.line and line:
            width = round(2 * self.line * line)
            self.canvas.line([*dots, *dots[:2]], self.ink, width, joint="curve")
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


def scroll(pen: Pen, depth: float, spacing: float, layer: int, reach: float = 0.2):
    """Places x, and numbers r in 0 .. 1, of things in a row that scrolls with the camera.

    depth: 1 scrolls as fast as the ground; reach: half the width of a thing, so that none pops up.
    """
    seed, shift = pen.scene.seed, pen.scene.camera.pan * depth
    reach += 0.08 + 0.3 * spacing
    for i in range(floor((shift - reach) / spacing), ceil((shift + 1 + reach) / spacing) + 1):
        yield (i + 0.6 * (noise(seed, layer, i, 1) - 0.5)) * spacing - shift, noise(seed, layer, i)

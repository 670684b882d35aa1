"""The styles: layers drawn large and reduced, and finishes no finer than 8 pixels of 128.

While they are worked on, images are float32 arrays (size, size, 3) in 0 .. 255, and covers are
(size, size, 1) in 0 .. 1.
"""

from dataclasses import replace
from functools import lru_cache
from math import pi

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .backdrops import BACKDROPS, road, sky, slope, table_floor, water
from .figures import figure
from .pen import PAPER, WHITE, Pen
from .scenes import Scene
from .vehicles import eater, food, vehicle

SUPER = 3  # pictures are drawn this many times too large, then averaged down
SETTINGS = {  # the ground under each action, and who acts on it
    "skiing": (slope, (figure,)),
    "surfing": (water, (figure,)),
    "moving": (road, (vehicle,)),
    "eating": (table_floor, (eater, food)),
}
Layer = tuple[np.ndarray, np.ndarray]  # colour times cover (size, size, 3), cover (size, size, 1)

# ---- layers


def layer(scene: Scene, size: int, *parts: tuple) -> Layer:
    """Draws parts on one transparent sheet; a part is the name of a pen's layer and a function."""
    side, z = size * SUPER, scene.camera.zoom
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    canvas = ImageDraw.Draw(image)
    for name, part in parts:
        pen = Pen(canvas, side, scene, name)
        part(pen if name == "figure" else pen.at((0.5 - 0.5 * z, 0.5 - 0.5 * z), z))
    flat = np.asarray(image.convert("RGBa").reduce(SUPER), np.float32)
    return flat[..., :3], flat[..., 3:] / 255


def actors(scene: Scene, size: int) -> list[Layer]:
    """The layers of the figure: who acts, and what it eats."""
    return [layer(scene, size, ("figure", part)) for part in SETTINGS[scene.action][1]]


def over(under: np.ndarray, color: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """A layer laid over an image."""
    return color + under * (1 - cover)


def to_bytes(image: np.ndarray) -> np.ndarray:
    """The image as whole numbers."""
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)


def blur(image: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur of colours, or of a cover; the radius is in pixels."""
    soft = ImageFilter.GaussianBlur(radius)
    if image.shape[-1] == 1:
        plane = Image.fromarray(to_bytes(image[..., 0] * 255)).filter(soft)
        return np.asarray(plane, np.float32)[..., None] / 255
    return np.asarray(Image.fromarray(to_bytes(image)).filter(soft), np.float32)


def relief(cover: np.ndarray) -> np.ndarray:
    """Light from the upper left on a round figure: above 0 on the lit side, below on the other."""
    size = len(cover)
    d = max(size // 32, 1)
    soft = np.pad(blur(cover, size / 20), ((d, d), (d, d), (0, 0)), "edge")
    return (soft[2 * d :, 2 * d :] - soft[: -2 * d, : -2 * d]) * cover


@lru_cache(maxsize=20)
def texture(kind: str, size: int) -> np.ndarray:
    """A fixed broad pattern (size, size, 1) in 0 .. 1: rays, blotches, or a white border."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) * (128 / size)
    if kind == "rays":
        turns = np.arctan2(y - 74, x - 64) / (2 * pi) * 7
        far = np.hypot(x - 64, y - 74)
        edge = (0.25 - np.abs(turns - np.floor(turns) - 0.5)) * far / 5
        return (np.clip(edge + 0.5, 0, 1) * np.clip(far / 60, 0, 1))[..., None]
    cells = np.random.default_rng(5).integers(0, 255, (6, 6), np.uint8)
    large = Image.fromarray(cells).resize((size, size), Image.Resampling.BICUBIC)
    out = np.asarray(large, np.float32)[..., None] / 255
    if kind == "border":
        margin = np.minimum(np.minimum(x, 127 - x), np.minimum(y, 127 - y))[..., None]
        out = np.clip((margin + 11 * (out - 0.5) - 3) / 8, 0, 1)
    return out


# ---- finishes


def as_plain(back: np.ndarray, fronts: list[Layer]) -> np.ndarray:
    """A softly rounded figure on a clean backdrop."""
    for color, cover in fronts:
        back = over(back, np.minimum(color * (1 + 0.6 * relief(cover)), 255 * cover), cover)
    return back


def as_cartoon(back: np.ndarray, fronts: list[Layer]) -> np.ndarray:
    """Flat, bright colours."""
    for color, cover in fronts:
        back = over(back, color, cover)
    return back


def as_comic(back: np.ndarray, fronts: list[Layer]) -> np.ndarray:
    """Strong colours, and a hard shadow on the right side of the figure."""
    for color, cover in fronts:
        shade = np.clip((-relief(cover) - 0.2) * 10, 0, 1)
        back = over(back, color * (1 - 0.42 * shade), cover)
    return back


def as_sketch(back: np.ndarray, fronts: list[Layer]) -> np.ndarray:
    """Pencil on paper: broad gray tones, and a backdrop that fades out towards the edges."""
    size = len(back)
    blotch, border = texture("blotch", size), texture("border", size)
    back = back * (1 - 0.08 * np.clip(blotch * 3 - 1.4, 0, 1))
    back = back * border + np.float32(PAPER) * (1 - border)
    for color, cover in fronts:
        shade = np.clip((-relief(cover) - 0.08) * 4, 0, 1)
        back = over(back, color * (1 - 0.28 * shade), cover)
    return back


def as_watercolor(back: np.ndarray, fronts: list[Layer]) -> np.ndarray:
    """Washes: a blurred, blotched backdrop within a white border, and darker rims of colour."""
    size = len(back)
    blotch, border = texture("blotch", size), texture("border", size)
    back = blur(back, size / 60) * (1 + 0.22 * (blotch - 0.5))
    back = back * border + np.float32(WHITE) * (1 - border)
    for color, cover in fronts:
        soft = blur(cover, size / 140)
        tone = blur(color, size / 140) / np.maximum(soft, 0.02)
        rim = np.clip(1 - blur(cover, size / 32), 0, 1)
        tone = tone * (1 - 0.32 * rim) * (1 + 0.26 * (blotch[::-1] - 0.5)) + 26 * (blotch - 0.4)
        back = np.clip(tone, 0, 255) * soft + back * (1 - soft)
    return back


def as_pixels(back: np.ndarray, fronts: list[Layer]) -> np.ndarray:
    """Blocks of 4 x 4 pixels in a frame of 128, few colours, the figure with a dark rim."""
    size, side = len(back), 32

    def small(image: np.ndarray) -> np.ndarray:
        """The image averaged down to (side, side, channels)."""
        step = size // side
        return image.reshape(side, step, side, step, -1).mean((1, 3))

    out = small(back)
    for color, cover in fronts:
        color, cover = small(color), small(cover)
        wide = np.pad(cover[..., 0], 1) > 0.5
        rim = (wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:])[..., None]
        out = np.where(rim, out * 0.45, out)
        out = np.where(cover > 0.5, color / np.maximum(cover, 0.5), out)
    out = to_bytes(np.round(out / 28.33) * 28.33)
    return out.repeat(size // side, 0).repeat(size // side, 1).astype(np.float32)


FINISHES = {
    "plain": as_plain,
    "cartoon": as_cartoon,
    "comic": as_comic,
    "sketch": as_sketch,
    "watercolor": as_watercolor,
    "pixel art": as_pixels,
}

# ---- pictures and masks


def draw(scene: Scene, size: int = 128, fronts: list[Layer] | None = None) -> Image.Image:
    """The picture of a scene, RGB, size by size pixels; size is a multiple of 32. Other layers may
    take the actors' place."""
    fronts = actors(scene, size) if fronts is None else fronts
    back = sky(scene, size)
    if scene.style == "comic":
        rays = texture("rays", size) * (0.3 if scene.background == "night" else 0.45)
        back = back * (1 - rays) + np.float32([255, 236, 110]) * rays
    ground = SETTINGS[scene.action][0]
    behind = layer(scene, size, ("sky", BACKDROPS[scene.background]), ("ground", ground))
    finish = FINISHES[scene.style]
    return Image.fromarray(to_bytes(finish(over(back, *behind), fronts)))


def sheet(rows: list[list[Scene]], size: int = 128) -> Image.Image:
    """A contact sheet: one picture per scene, one row of pictures per list."""
    out = Image.new("RGB", (size * max(map(len, rows)), size * len(rows)), WHITE)
    for i, row in enumerate(rows):
        for k, scene in enumerate(row):
            out.paste(draw(scene, size), (k * size, i * size))
    return out


def figure_mask(scene: Scene, size: int = 128) -> np.ndarray:
    """How far the subject and what it holds or eats cover each pixel: (size, size) in 0 .. 1."""
    free = np.ones((size, size), np.float32)
    for _, cover in actors(scene, size):
        free = free * (1 - cover[..., 0])
    return 1 - free


def jacket_mask(scene: Scene, size: int = 128) -> np.ndarray:
    """The pixels that change with the colour of the jacket or of the car alone: (size, size) bool.

    It is all False where that colour is fixed: animals, named heroes, pink clothes.
    """
    if not scene.dye:
        return np.zeros((size, size), bool)
    dyed = [replace(scene, style="plain", color=color) for color in ("white", "black")]
    (light, _), (dark, _) = (actors(one, size)[0] for one in dyed)
    return np.abs(light - dark).max(-1) > 80

"""Pictures of videos and of a run's losses: labelled sheets, a chart (lesson 00).

A video is (f, 3, h, w) in [-1, 1]: f frames of h x w pixels.
"""

import textwrap
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from ..vae import from_bytes, to_uint8

# Where Pillow's own font lacks a label's letters, the first of these that a machine has and that
# does not: Linux, Windows, macOS. Between them they have the scripts of most languages.
FONTS = ["DejaVuSans.ttf", "NotoSansCJK-Regular.ttc", "NotoSans-Regular.ttf", "wqy-zenhei.ttc"]
FONTS += ["segoeui.ttf", "msyh.ttc", "YuGothM.ttc", "malgun.ttf", "Nirmala.ttf"]
FONTS += ["Arial Unicode.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc"]
UNWRITABLE = "(no font here has the letters of this label: see the names of the files)"
FONT_SIZE = 17  # pixels
WIDTH, HEIGHT = 640, 320  # of the chart of losses
BOTTOM, TOP = 318, 28  # where a loss of 0 and the largest loss lie, in pixels from the top


def sheet(rows: list[tuple[str, Tensor]], columns: int = 8, cell: int = 160) -> Image.Image:
    """A page of videos (label, (f, 3, h, w)): under each label a row of frames, evenly spread."""
    frames = len(rows[0][1])
    moments = torch.linspace(0, frames - 1, min(columns, frames)).round().long()
    strips = [titled(label, to_uint8(video[moments]), cell) for label, video in rows]
    return Image.fromarray(np.vstack(strips))


def side_by_side(rows: list[tuple[str, Tensor]], height: int = 256) -> Tensor:
    """Videos (label, (f, 3, h, w)) of that height beside each other, labelled: (f, 3, H, W)."""
    pages = []
    for i in range(len(rows[0][1])):
        cells = [titled(label, to_uint8(video[[i]]), height) for label, video in rows]
        pages.append(np.hstack(cells))
    return from_bytes(torch.from_numpy(np.stack(pages)).permute(0, 3, 1, 2))


def titled(label: str, frames: np.ndarray, height: int) -> np.ndarray:
    """Frames (f, h, w, 3) of bytes in a row, resized to a height, under at most two lines."""
    size = (round(height * frames.shape[2] / frames.shape[1]), height)
    cells = []
    for frame in frames:
        picture = Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)
        cells.append(ImageOps.expand(picture, 2, "white"))
    margins = (6, 54, 6, 6)  # left, top, right, bottom
    page = ImageOps.expand(Image.fromarray(np.hstack(cells)), margins, "white")
    label, font = in_a_font(label)
    letters = page.width // 10  # in a line; most letters are narrower than 10 pixels
    lines = textwrap.wrap(label, letters, max_lines=2, placeholder="…")
    # "ld": there is the lower left corner of the text.
    ImageDraw.Draw(page).text((8, 52), "\n".join(lines), "black", font, anchor="ld")
    return np.asarray(page)


@cache
def in_a_font(label: str) -> tuple[str, ImageFont.FreeTypeFont]:
    """The label and a font with all its letters, Pillow's or the machine's; or UNWRITABLE."""
    own = ImageFont.load_default(FONT_SIZE)
    for name in (None, *FONTS):
        try:
            font = ImageFont.truetype(name, FONT_SIZE) if name else own
        except OSError:  # this machine does not have it
            continue
        # A letter that it lacks is drawn as U+FFFF is, which is no letter in any font.
        lacking = bytes(font.getmask("\uffff"))
        if all(letter.isspace() or bytes(font.getmask(letter)) != lacking for letter in label):
            return label, font
    return UNWRITABLE, own


def loss_chart(losses: list[float]) -> Image.Image:
    """From 0 up: each loss in grey, and in blue the mean of the tenth of the run before it. What is
    not finite is left out."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    largest = max(filter(np.isfinite, losses), default=0) or 1
    draw.text((8, 4), f"loss of {len(losses)} steps, 0 to {largest:.3g}", "black")
    values = np.array(losses)
    for i, loss in enumerate(losses):
        with np.errstate(all="ignore"):
            mean = values[max(0, i - len(losses) // 10) : i + 1].mean()
        for share, colour in ((loss / largest, "silver"), (mean / largest, "royalblue")):
            if np.isfinite(share):
                x, y = WIDTH * i / len(losses), BOTTOM - (BOTTOM - TOP) * min(max(share, 0), 1)
                draw.rectangle([x - 1, y - 1, x + 1, y + 1], colour)
    return picture

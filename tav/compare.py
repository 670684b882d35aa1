"""Videos beside each other: labelled sheets and side-by-side films (lesson 00).

Shapes: f frames, h w height and width in pixels. A video is a tensor (f, 3, h, w) of float32 in [-1, 1].
"""

import textwrap
import unicodedata

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from .video import LANCZOS, to_pil


def sheet(rows: list[tuple[str, Tensor]], columns: int = 8, cell: int = 160) -> Image.Image:
    """A page of videos (label, (f, 3, h, w)): a row for each, its frames `cell` pixels high under its label.

    The columns are moments, evenly spread from first to last; videos may differ in size and in frames.
    """
    columns = min(columns, max(len(video) for _, video in rows))
    width = max(round(cell * video.shape[3] / video.shape[2]) for _, video in rows)
    blocks = []
    for text, video in rows:
        chosen = [to_pil(video[i]) for i in moments(len(video), columns)]
        strip = lay([ImageOps.pad(p, (width, cell), LANCZOS, "white") for p in chosen], gap=4)
        blocks.append(lay([label(text, strip.width), strip], gap=6, down=True))
    return ImageOps.expand(lay(blocks, gap=20, down=True), 16, "white")


def side_by_side(rows: list[tuple[str, Tensor]], height: int = 256) -> Tensor:
    """Videos (label, (f, 3, h, w)) playing beside each other, `height` pixels high under their labels.

    Returns (f, 3, H, W) with the f of the longest; a shorter one is slowed down to end with it.
    """
    f = max(len(video) for _, video in rows)
    pages = []
    for t in range(f):
        blocks = []
        for text, video in rows:
            picture = to_pil(video[moments(len(video), f)[t]])
            picture = picture.resize((round(height * picture.width / picture.height), height), LANCZOS)
            blocks.append(lay([label(text, picture.width), picture], gap=6, down=True))
        pages.append(np.asarray(ImageOps.expand(lay(blocks, gap=8), 8, "white")))
    return torch.from_numpy(np.stack(pages)).permute(0, 3, 1, 2).float() / 127.5 - 1


def moments(f: int, n: int) -> list[int]:
    """n frame numbers spread evenly from 0 to f - 1."""
    return [round(i * (f - 1) / max(n - 1, 1)) for i in range(n)]


def lay(pictures: list[Image.Image], gap: int, down: bool = False) -> Image.Image:
    """Pictures on white, `gap` pixels apart: in a row, standing on one line, or else one below the other."""
    lengths = [p.height if down else p.width for p in pictures]
    breadth = max(p.width if down else p.height for p in pictures)
    length = sum(lengths) + gap * (len(pictures) - 1)
    page = Image.new("RGB", (breadth, length) if down else (length, breadth), "white")
    for i, p in enumerate(pictures):
        at = sum(lengths[:i]) + gap * i
        page.paste(p, (0, at) if down else (at, breadth - p.height))
    return page


def label(text: str, width: int, size: int = 17, lines: int = 3) -> Image.Image:
    """Text as a picture `width` pixels wide, broken between words; beyond `lines` lines comes an ellipsis."""
    font = ImageFont.load_default(size)  # it has no accented letters, so they go without
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    for characters in range(width // 3 + 1, 0, -1):  # as many in a line as are narrow enough
        broken = textwrap.wrap(text, characters, max_lines=lines, placeholder="…") or [""]
        if max(map(font.getlength, broken)) <= width:
            break
    step = round(1.3 * size)
    picture = Image.new("RGB", (width, step * len(broken)), "white")
    for i, line in enumerate(broken):
        ImageDraw.Draw(picture).text((0, i * step), line, (40, 40, 44), font)
    return picture

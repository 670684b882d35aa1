"""Videos beside each other: labelled sheets and side-by-side films (lesson 00).

Shapes: f frames, h w height and width in pixels. Videos are tensors (f, 3, h, w) in [-1, 1], all of one shape.
"""

import textwrap

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from .video import to_uint8


def sheet(rows: list[tuple[str, Tensor]], columns: int = 8, cell: int = 160) -> Image.Image:
    """A page of videos (label, (f, 3, h, w)): under each label a row of frames, evenly spread from first to last."""
    strips = []
    for text, video in rows:
        moments = torch.linspace(0, len(video) - 1, min(columns, len(video))).round().long()
        strips.append(titled(text, to_uint8(video[moments]), cell))
    return Image.fromarray(np.vstack(strips))


def side_by_side(rows: list[tuple[str, Tensor]], height: int = 256) -> Tensor:
    """Videos (label, (f, 3, h, w)) playing beside each other under their labels, `height` pixels high: (f, 3, H, W)."""
    pages = []
    for t in range(len(rows[0][1])):
        pages.append(np.hstack([titled(text, to_uint8(video[[t]]), height) for text, video in rows]))
    return torch.from_numpy(np.stack(pages)).permute(0, 3, 1, 2).float() / 127.5 - 1


def titled(text: str, frames: np.ndarray, height: int) -> np.ndarray:
    """Frames (f, h, w, 3) of bytes in a row, resized to a height, under a label of at most two lines."""
    _, h, w, _ = frames.shape
    size = (round(height * w / h), height)
    cells = [Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS) for pixels in frames]
    strip = np.hstack([ImageOps.expand(cell, 2, "white") for cell in cells])
    page = ImageOps.expand(Image.fromarray(strip), (6, 54, 6, 6), "white")  # left, top, right, bottom
    lines = textwrap.wrap(text, page.width // 10, max_lines=2, placeholder="…")  # most letters are narrower
    font, corner = ImageFont.load_default(17), (8, 52)  # of the label: at its lower left, just above the frames
    ImageDraw.Draw(page).text(corner, "\n".join(lines), "black", font, anchor="ld")
    return np.asarray(page)

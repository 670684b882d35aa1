"""Videos, all of one shape (f, 3, h, w) and in [-1, 1], beside each other: labelled sheets and films (lesson 00)."""

import textwrap

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from .video import to_uint8


def sheet(rows: list[tuple[str, Tensor]], columns: int = 8, cell: int = 160) -> Image.Image:
    """A page of videos (label, (f, 3, h, w)): under each label a row of frames, evenly spread from first to last."""
    f = len(rows[0][1])
    moments = torch.linspace(0, f - 1, min(columns, f)).round().long()
    return Image.fromarray(np.vstack([titled(text, to_uint8(video[moments]), cell) for text, video in rows]))


def side_by_side(rows: list[tuple[str, Tensor]], height: int = 256) -> Tensor:
    """Videos (label, (f, 3, h, w)) playing beside each other under their labels, `height` pixels high: (f, 3, H, W)."""
    pages = []
    for t in range(len(rows[0][1])):
        pages.append(np.hstack([titled(text, to_uint8(video[[t]]), height) for text, video in rows]))
    return torch.from_numpy(np.stack(pages)).permute(0, 3, 1, 2).float() / 127.5 - 1


def titled(text: str, frames: np.ndarray, height: int) -> np.ndarray:
    """Frames (f, h, w, 3) of bytes in a row, resized to a height, under a label of at most two lines."""
    size = (round(height * frames.shape[2] / frames.shape[1]), height)
    cells = [Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS) for pixels in frames]
    strip = np.hstack([ImageOps.expand(cell, 2, "white") for cell in cells])
    page = ImageOps.expand(Image.fromarray(strip), (6, 54, 6, 6), "white")  # left, top, right, bottom
    label = "\n".join(textwrap.wrap(text, page.width // 10, max_lines=2, placeholder="…"))  # 10: most are narrower
    ImageDraw.Draw(page).text((8, 52), label, "black", ImageFont.load_default(17), anchor="ld")  # its lower left
    return np.asarray(page)

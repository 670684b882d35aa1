"""`show`, which the lessons use to look at pictures while one types.

    show("01-round-trip", frame=frames[0], reconstruction=rebuilt[0])

In a notebook the picture appears below the cell. Everywhere else open the file that is printed.
"""

import sys

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tav.io.runs import RUNS
from tav.io.sheets import titled
from tav.vae import to_uint8

HEIGHT = 128  # pixels of each picture: of a frame of the miniature
MOST = 8  # pictures in a row


def show(name: str, **pictures: Tensor) -> None:
    """Show pictures under their labels, and write them to runs/shown/`name`.png.

    A picture is (3, h, w) in [-1, 1]; a video or several pictures, (f, 3, h, w), make a row of at
    most eight. Anything else is drawn in grey, from its least value, black, to its greatest, white:
    a map (h, w), or (c, h, w), such as latents, as a row of c maps. What is small keeps its squares
    when it is enlarged. Single pictures stand beside each other; as soon as there is a row, each
    label gets one. In a label `_` becomes a space.
    """
    rows = {label.replace("_", " "): as_row(x) for label, x in pictures.items()}
    cells = [titled(label, row, HEIGHT) for label, row in rows.items()]
    if all(len(row) == 1 for row in rows.values()):
        page = np.hstack(cells)
    else:
        width = max(cell.shape[1] for cell in cells)
        page = np.vstack([widened(cell, width) for cell in cells])
    file = RUNS / "shown" / f"{name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(page).save(file)
    print(f"shown in {file.as_posix()}")
    ipython = sys.modules.get("IPython")
    if ipython and hasattr(ipython.get_ipython(), "kernel"):
        ipython.display.display(Image.fromarray(page))


def widened(page: np.ndarray, width: int) -> np.ndarray:
    """A page (h, w, 3) with white on its right."""
    return np.pad(page, ((0, 0), (0, width - page.shape[1]), (0, 0)), constant_values=255)


def as_row(pictures: Tensor) -> np.ndarray:
    """Pictures or maps as bytes (n, h, w, 3), at most eight, evenly spread."""
    x = torch.as_tensor(pictures).detach().float()
    if x.ndim == 3 and x.shape[0] == 3:
        x = x[None]  # 3 h w -> 1 3 h w
    if x.ndim != 4:
        x = grey(x)
    moments = torch.linspace(0, len(x) - 1, min(MOST, len(x))).round().long()
    return to_uint8(enlarged(x[moments].clamp(-1, 1)))


def enlarged(x: Tensor) -> Tensor:
    """Pictures or maps (..., h, w), each value a square, about HEIGHT high."""
    times = max(1, round(HEIGHT / x.shape[-2]))
    return x.repeat_interleave(times, -2).repeat_interleave(times, -1)


def grey(maps: Tensor) -> Tensor:
    """Maps (h, w) or (n, h, w) as pictures (n, 3, h, w)."""
    maps = maps.reshape(-1, *maps.shape[-2:])
    lowest, highest = maps.min(), maps.max()
    maps = (maps - lowest) / (highest - lowest).clamp(min=1e-12) * 2 - 1
    return maps[:, None].expand(-1, 3, -1, -1)

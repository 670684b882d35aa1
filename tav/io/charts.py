"""The picture of a run's losses (lesson 00)."""

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 640, 320
BOTTOM, TOP = 318, 28  # where a loss of 0 and the largest loss lie, in pixels from the top


def loss_chart(losses: list[float]) -> Image.Image:
    """From 0 up: each loss in grey, and in blue the mean of the tenth of the run before it.

    What is not finite is left out.
    """
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    largest = max(filter(np.isfinite, losses), default=0) or 1
    draw.text((8, 4), f"loss of {len(losses)} steps, 0 to {largest:.3g}", "black")
    values = np.array(losses)
    for i, loss in enumerate(losses):
        with np.errstate(all="ignore"):
            mean = values[max(0, i - len(losses) // 10) : i + 1].mean()
        x = WIDTH * i / len(losses)
        dot(draw, x, loss / largest, "silver")
        dot(draw, x, mean / largest, "royalblue")
    return picture


def dot(draw: ImageDraw.ImageDraw, x: float, share: float, colour: str) -> None:
    """Three pixels square, at a share of the largest loss from 0 to 1; none if it is not finite."""
    if not np.isfinite(share):
        return
    y = BOTTOM - (BOTTOM - TOP) * min(max(share, 0), 1)
    draw.rectangle([x - 1, y - 1, x + 1, y + 1], colour)

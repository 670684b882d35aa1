"""The sheet of samples in the model card: the first 48, whatever they look like.

    python -m weights.make.samples [--out FILE] [--weights W]

Sample i shows random scene i of any combination of words, from noise of seed i.
"""

import argparse
import random
import textwrap
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from tav import load
from tav.sampling import sample
from tav.vae import decode, to_uint8

from .train import ROOT
from .world.captions import caption
from .world.motions import random_scene

COUNT, COLUMNS, BATCH = 48, 8, 12
TEXT = 40  # pixels below each picture, for its prompt


def prompts() -> list[str]:
    """What the samples were asked to show."""
    return [caption(random_scene(random.Random(i), allow_held_out=True)) for i in range(COUNT)]


def pictures(weights: str, steps: int, guidance: float) -> torch.Tensor:
    """The samples (48, 3, H, W) in [-1, 1]."""
    model, texts = load(weights), prompts()
    side = model.size // model.vae.factor
    found = []
    for start in range(0, COUNT, BATCH):
        seeds = range(start, start + BATCH)
        noise = torch.stack(
            [torch.randn(4, side, side, generator=torch.Generator().manual_seed(i)) for i in seeds]
        )
        text = model.embed([""] * BATCH + texts[start : start + BATCH])
        found.append(decode(model.vae, sample(model, noise, text, steps, guidance)))
    return torch.cat(found)


def sheet(videos: torch.Tensor) -> Image.Image:
    """All samples, each above its prompt."""
    size = videos.shape[3]
    rows = COUNT // COLUMNS
    canvas = Image.new("RGB", (COLUMNS * size, rows * (size + TEXT)), "white")
    pen = ImageDraw.Draw(canvas)
    for i, (pixels, prompt) in enumerate(zip(to_uint8(videos), prompts(), strict=True)):
        x, y = i % COLUMNS * size, i // COLUMNS * (size + TEXT)
        canvas.paste(Image.fromarray(pixels), (x, y))
        pen.multiline_text((x + 3, y + size), textwrap.fill(prompt, 24), "black", font_size=10)
    return canvas


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--weights", default=str(ROOT / "weights" / "mini"))
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--out", type=Path, default=ROOT / "weights" / "mini" / "samples.png")
    args = parser.parse_args()
    image = sheet(pictures(args.weights, args.steps, args.guidance))
    image.quantize(256, dither=Image.Dither.NONE).save(args.out)
    print(f"samples: {args.out}")


if __name__ == "__main__":
    main()

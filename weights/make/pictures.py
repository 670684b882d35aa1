"""The drawings that the miniature is trained on: made once, then read from files.

Shapes: b batch, n drawings, H W pixels (128), l text tokens.
"""

import json
import os
import random
from dataclasses import asdict
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tav.text import Tokenizer
from tav.vae import from_bytes

from .miniature import SIZE
from .training import SEED
from .world.captions import caption
from .world.motions import random_scene
from .world.scenes import held_out
from .world.styles import draw, figure_mask

CHUNK = 500  # drawings
CROP = 64  # pixels, a side of what the VAE is trained on


def draw_one(index: int, trained: int) -> tuple[np.ndarray, np.ndarray, dict]:
    """Drawing `index`: pixels (H, W, 3) and the figure's cover (H, W), both uint8, and its labels.

    Those from index `trained` on are of any combination, those that training never shows too.
    """
    rng = random.Random(f"{SEED}/{index}")
    scene = random_scene(rng, allow_held_out=index >= trained)
    captions = [caption(scene), caption(scene, rng)]
    names = ("subject", "action", "color", "dye", "food", "attribute", "background", "style")
    labels = {name: getattr(scene, name) for name in names} | {"looks": asdict(scene.looks)}
    cover = (255 * figure_mask(scene, SIZE) + 0.5).astype(np.uint8)
    pixels = np.asarray(draw(scene, SIZE))
    return pixels, cover, {"captions": captions, "held_out": held_out(scene), **labels}


def make_pictures(build: Path, trained: int, kept: int) -> None:
    """Stage `pictures`: pictures.npy (n, H, W, 3), covers.npy (n, H, W), labels.jsonl, count.json.

    A line of labels is written after its drawing, so that the number of lines says where to go on.
    """
    count, shape = trained + kept, (SIZE, SIZE)
    store = {"pictures": (count, *shape, 3), "covers": (count, *shape)}
    if (build / "labels.jsonl").exists():
        done = (build / "labels.jsonl").read_text().count("\n") // CHUNK * CHUNK
        files = {k: np.load(build / f"{k}.npy", mmap_mode="r+") for k in store}
        if any(files[k].shape != store[k] for k in store):
            raise ValueError(f"{build}: begun with another number of drawings; delete it")
        lines = (build / "labels.jsonl").read_text().splitlines(keepends=True)
        (build / "labels.jsonl").write_text("".join(lines[:done]))
    else:
        done, make = 0, np.lib.format.open_memmap
        files = {k: make(build / f"{k}.npy", "w+", np.uint8, shape) for k, shape in store.items()}
    with Pool(2, initializer=os.nice, initargs=(10,)) as pool:
        for start in range(done, count, CHUNK):
            indices = [(i, trained) for i in range(start, min(start + CHUNK, count))]
            drawn = pool.starmap(draw_one, indices, chunksize=25)
            files["pictures"][start : start + len(drawn)] = [pixels for pixels, _, _ in drawn]
            files["covers"][start : start + len(drawn)] = [cover for _, cover, _ in drawn]
            with open(build / "labels.jsonl", "a") as file:
                file.writelines(json.dumps(label) + "\n" for _, _, label in drawn)
            if start % (10 * CHUNK) == 0:
                print(f"pictures {start + len(drawn)} of {count}", flush=True)
    for file in files.values():
        file.flush()
    (build / "count.json").write_text(json.dumps({"trained": trained, "held_out": kept}))


class Pictures:
    """The drawings and their captions, in memory-mapped form."""

    def __init__(self, build: Path):
        count = json.loads((build / "count.json").read_text())
        self.trained, self.kept = count["trained"], count["held_out"]
        self.pixels = np.load(build / "pictures.npy", mmap_mode="r")
        self.covers = np.load(build / "covers.npy", mmap_mode="r")
        self.labels = [json.loads(s) for s in (build / "labels.jsonl").read_text().splitlines()]

    def __len__(self) -> int:
        return self.trained + self.kept

    def choose(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` indices of training pictures."""
        return torch.randint(0, self.trained, (count,), generator=generator)

    def fresh(self, count: int) -> range:
        """Indices of the first `count` drawings that were never trained on."""
        return range(self.trained, self.trained + min(count, self.kept))

    def frames(self, indices) -> Tensor:
        """Whole pictures (b, 3, H, W) in [-1, 1]."""
        pixels = torch.from_numpy(np.stack([self.pixels[int(i)] for i in indices]))
        return from_bytes(pixels.permute(0, 3, 1, 2).contiguous())

    def cover(self, indices) -> Tensor:
        """How far the figure covers each pixel of whole pictures, (b, 1, H, W) in [0, 1]."""
        return torch.from_numpy(np.stack([self.covers[int(i)] for i in indices]))[:, None] / 255

    def crops(self, indices, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A random square of side CROP from each picture, (b, 3, H, W), and its cover (b, 1, H, W).

        They are cut between latents, every 8 pixels, where they are cut in whole pictures too.
        """
        pixels, covers = [], []
        for i in indices.tolist():
            corner = 8 * torch.randint(0, (SIZE - CROP) // 8 + 1, (2,), generator=generator)
            y, x = (slice(k, k + CROP) for k in corner.tolist())
            pixels.append(torch.from_numpy(np.array(self.pixels[i, y, x])))
            covers.append(torch.from_numpy(np.array(self.covers[i, y, x])))
        frames = from_bytes(torch.stack(pixels).permute(0, 3, 1, 2).contiguous())
        return frames, torch.stack(covers)[:, None] / 255

    def ids(self, tokenizer: Tokenizer) -> Tensor:
        """Token ids (n, 2, l) of every picture's two captions, the canonical one first."""
        texts = [text for label in self.labels for text in label["captions"]]
        return tokenizer(texts).to(torch.int16).view(len(self.labels), 2, -1)

"""What each part of the method does, for the start page and README: `python -m lessons.parts`.

Two clips are edited by the whole method, and with one part left out at a time, at two guidances. It
takes about 20 minutes on two cores. Each video becomes a strip, its eight frames side by side, in
page/parts/; the page shows one frame of it after the other. What there is to choose from is listed
in page/parts/parts.json. README's picture, figures/parts.png, is made of the same strips
(`parts` in figures.py).
"""

import json
from dataclasses import asdict, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tav.io.sheets import sheet
from tav.io.weights import load
from tav.vae import from_bytes, to_uint8
from weights.benchmark.clips import Clip
from weights.benchmark.rows import HIGHER, ROWS, Job, Settings
from weights.make.train import demonstration, surfing_panda
from weights.make.world.captions import parse
from weights.make.world.scenes import edit

from .blocks import STRIPS
from .miniature import WEIGHTS

LEAVE_OUT = {  # by the row of the benchmark that does it
    "tune-a-video": "nothing",
    "untuned": "tuning",
    "no-sc": "SC-Attn",
    "no-temp": "Temp-Attn",
    "no-inversion": "inversion",
}
OPEN = "a woman is surfing"  # what README shows: it leaves open what she looks like


def clips(prompts: list[str]) -> list[Clip]:
    """The skier of clip.mp4 with the prompts that sample.py has, and a panda with one."""
    skier = demonstration()[::2]
    asked = {"skier": (skier, prompts), "panda": (surfing_panda(), [OPEN])}
    return [
        Clip(name, scenes, {prompt: edit(scenes, **parse(prompt)) for prompt in wanted})
        for name, (scenes, wanted) in asked.items()
    ]


def write(name: str, video: Tensor) -> str:
    """A video (f, 3, H, W) as a strip in page/parts/; returns the file's name."""
    strip = Image.fromarray(np.hstack(to_uint8(video)))
    strip.save(STRIPS / f"{name}.webp", quality=70, method=6)
    return f"{name}.webp"


def read(name: str) -> Tensor:
    """The video (f, 3, H, W) of a strip, whose frames are square."""
    strip = torch.from_numpy(np.array(Image.open(STRIPS / name).convert("RGB")))
    frames = torch.stack(strip.split(strip.shape[0], dim=1))  # f H W 3
    return from_bytes(frames.permute(0, 3, 1, 2))


def make() -> None:
    """Make all strips anew, and list them."""
    model = load(WEIGHTS)
    tuning, sampling = model.recipe("tune"), model.recipe("sample")
    usual = Settings(tuning["steps"], tuning["lr"], sampling["steps"], sampling["guidance"])
    STRIPS.mkdir(exist_ok=True)
    for old in STRIPS.iterdir():
        old.unlink()
    listed = {"guidance": [usual.guidance, HIGHER * usual.guidance], "settings": asdict(usual)}
    listed |= {"leave_out": LEAVE_OUT, "clips": []}
    for clip in clips(sampling["prompts"]):
        job = Job(model, clip, usual, list(clip.edits))
        about = {"name": clip.number, "caption": clip.caption}
        about |= {"file": write(clip.number, job.frames), "prompts": list(clip.edits), "edits": {}}
        for row in LEAVE_OUT:
            for guidance in listed["guidance"]:
                job.settings = replace(usual, guidance=guidance)
                for i, video in enumerate(ROWS[row].edit(job).values(), 1):
                    name = f"{clip.number}-{i}-{row}-{guidance:g}"
                    about["edits"][f"{i} {row} {guidance:g}"] = write(name, video)
                print(f"{clip.number}: without {LEAVE_OUT[row]}, guidance {guidance:g}")
        listed["clips"].append(about)
    (STRIPS / "parts.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")


def picture() -> Image.Image:
    """README's picture: one edit whose looks are open, with each part left out, at the higher
    guidance."""
    listed = json.loads((STRIPS / "parts.json").read_text(encoding="utf-8"))
    panda = listed["clips"][-1]
    rows = [(f"source: {panda['caption']}", read(panda["file"]))]
    for row, part in LEAVE_OUT.items():
        label = OPEN if part == "nothing" else f"without {part}"
        name = panda["edits"][f"1 {row} {listed['guidance'][1]:g}"]
        rows.append((label, read(name)))
    return sheet(rows, cell=128)  # as large as the frames are


if __name__ == "__main__":
    from .figures import FIGURES, parts, save

    make()
    save(parts(), FIGURES / "parts.png")

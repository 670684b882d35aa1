"""The miniature's benchmark: clips with known motion, ideal edits that are drawn, ablations.

`python weights/make/evaluate.py` makes and scores every clip, method and edit that is not done yet.

    --clips 0-5 --methods full   makes a part of it; --frames, --steps, ... likewise
    --rescore                    judges the stored videos anew
    --table                      makes the table, as markdown and picture, and one sheet
    --clips 0-5 --sweep          shows what has been run on these, by settings

It needs `judge.safetensors` and `pose.safetensors` (judge.py and pose.py make them). Every finished
edit adds a line to build/evaluate.jsonl and a picture, its frames in a row, to build/evaluate/,
where tuned networks are kept too; what is there is not made again. A line belongs to its settings
and weights, so that sweeps share the file. Clips 0 to 5 are there to choose settings with, 6 to 11
to report on.

None of the clips was trained on: the training pictures are single drawings, each with a pose and a
camera of its own, drawn at random (`world.random_scene`); no sequence was among them. The clips are
whole trajectories of `world.motion` from other random numbers. Neither sources nor edits are
combinations held out of training.

Shapes: f frames, H W pixels.
"""

import argparse
import hashlib
import json
import random
import sys
import time
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).parent)]

import judge  # noqa: E402
import pose  # noqa: E402
import train  # noqa: E402
import world  # noqa: E402
from ablations import METHODS, USUAL, network, noise, sampled  # noqa: E402

from tav import tuning  # noqa: E402
from tav.io.video import replacing, sheet  # noqa: E402
from tav.io.weights import load, load_clip  # noqa: E402
from tav.metrics import frame_consistency, preprocess, textual_alignment  # noqa: E402
from tav.model import StableDiffusion  # noqa: E402
from tav.vae import Posterior, decode, to_uint8  # noqa: E402

EDITS = ("subject", "background", "attribute", "style")
# subject, action, food, background; the four edits. Drivers are left out: they wear nothing.
CLIPS = [
    ("man", "skiing", "", "plain", "spider man", "beach", "cowboy hat", "cartoon"),
    ("woman", "surfing", "", "plain", "panda", "sunset", "sunglasses", "pixel art"),
    ("rabbit", "eating", "watermelon", "plain", "tiger", "beach", "birthday hat", "watercolor"),
    ("panda", "skiing", "", "snow", "robot", "desert", "sunglasses", "sketch"),
    ("astronaut", "surfing", "", "plain", "cat", "night", "pink clothes", "comic"),
    ("cat", "eating", "pizza", "grass", "puppy", "city", "sunglasses", "cartoon"),
    ("wonder woman", "skiing", "", "plain", "raccoon", "city", "birthday hat", "watercolor"),
    ("spider man", "surfing", "", "sunset", "puppy", "beach", "cowboy hat", "sketch"),
    ("puppy", "eating", "orange", "plain", "rabbit", "grass", "pink clothes", "comic"),
    ("tiger", "skiing", "", "grass", "woman", "snow", "cowboy hat", "cartoon"),
    ("robot", "surfing", "", "beach", "iron man", "sunset", "birthday hat", "watercolor"),
    ("man", "skiing", "", "city", "mickey mouse", "grass", "sunglasses", "sketch"),
]
METRICS = {  # name: (heading, decimals, factor)
    "consistency": ("frame consistency", 1, 1),
    "adjacent": ("of neighbours", 1, 1),
    "alignment": ("textual alignment", 1, 1),
    "psnr": ("PSNR, dB", 1, 1),
    "ssim": ("SSIM", 3, 1),
    "motion": ("motion error, % of width", 1, 100),
    "asked": ("asked is there, %", 0, 100),
    "success": ("and the rest unchanged, %", 0, 100),
    "seconds": ("seconds", 0, 1),
}

# ---- clips and their ideal edits


def scenes_of(clip: int, frames: int) -> tuple[list[world.Scene], dict[str, list[world.Scene]]]:
    """A source clip as scenes, one a frame, and its edits: the same motion, one thing changed."""
    subject, action, food, background, *changes = CLIPS[clip]
    scene = world.Scene(subject, action, food, background=background, seed=clip)
    source = world.clip(scene, frames, random.Random(f"evaluate/{clip}"))
    edits = {kind: world.edit(source, **{kind: change}) for kind, change in zip(EDITS, changes)}
    if any(map(world.held_out, [scene, *(scenes[0] for scenes in edits.values())])):
        raise ValueError(f"clip {clip} has a combination that was held out of training")
    return source, edits


def draw(scenes: list[world.Scene], size: int) -> Tensor:
    """Scenes as frames (f, 3, H, W) in [-1, 1]."""
    pixels = np.stack([np.asarray(world.draw(scene, size)) for scene in scenes])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


# ---- scores


class Scorer:
    """Everything that looks at a finished video."""

    def __init__(self, weights: str):
        self.clip, self.tokenizer = load_clip(Path(weights) / "clip")
        self.judge, self.pose = judge.load_judge(), pose.load_pose()

    @torch.no_grad()
    def __call__(
        self, video: Tensor, source: list[world.Scene], target: list[world.Scene], kind: str
    ) -> dict:
        """Scores of a video (f, 3, H, W) that should show the target scenes, an edit of this kind.

        motion: mean distance of the subject's points, as the pose network finds them, from where
        the source has them. asked, success: the share of frames that show the change; and that show
        all that the target shows.
        """
        ideal, caption = draw(target, video.shape[3]), world.caption(target[0])
        vectors = self.clip.embed_pictures(preprocess(video, self.clip.image_size))
        text = self.clip.embed_texts(self.tokenizer(caption), self.tokenizer.end)[0]
        points, there = pose.truth(source)
        answers = self.judge.answers(video)
        right = [
            {name: answer[name] == getattr(target[0], name) for name in answer}
            for answer in answers
        ]
        return {
            "consistency": frame_consistency(vectors),
            "adjacent": frame_consistency(vectors, adjacent=True),
            "alignment": textual_alignment(vectors, text),
            "psnr": train.psnr(video, ideal).item(),
            "ssim": ssim(video, ideal),
            "motion": (self.pose(video) - points).norm(dim=2)[there].mean().item(),
            "asked": sum(frame[kind] for frame in right) / len(right),
            "success": sum(all(frame.values()) for frame in right) / len(right),
        }


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity of frames (f, 3, H, W) in [-1, 1] (Wang et al. 2004): Gaussian window
    of 11, sigma 1.5."""
    line = torch.exp(-((torch.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window = (line[:, None] * line / line.sum() ** 2).expand(3, 1, 11, 11)

    def mean(x: Tensor) -> Tensor:
        return F.conv2d(x, window, groups=3)

    a, b = (a + 1) / 2, (b + 1) / 2
    ma, mb, c1, c2 = mean(a), mean(b), 0.01**2, 0.03**2
    va, vb, ab = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    return (
        ((2 * ma * mb + c1) * (2 * ab + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2)))
        .mean()
        .item()
    )


# ---- the benchmark


def settings(model: StableDiffusion, args) -> dict:
    names = ("frames", "steps", "tune_steps", "lr", "guidance", "seed")
    return {name: getattr(args, name) for name in names} | {"weights": model.hash[:12]}


def records(args, own: dict) -> dict[tuple, dict]:
    """The lines of these settings, by clip, method and edit; a later one wins."""
    lines = args.results.read_text().splitlines() if args.results.exists() else []
    return {
        (r["clip"], r["method"], r["edit"]): r
        for r in map(json.loads, lines)
        if r["settings"] == own
    }


def strip(args, own: dict, key: tuple, kind: str = "png") -> Path:
    """Where the frames of an edit are, beside each other."""
    folder = args.results.with_suffix("") / hashlib.sha256(json.dumps(own).encode()).hexdigest()[:8]
    folder.mkdir(parents=True, exist_ok=True)
    return folder / ("-".join(map(str, key)) + "." + kind)


def read_strip(path: Path) -> Tensor:
    pixels = torch.from_numpy(np.array(Image.open(path)))  # H f*W 3
    return pixels.unflatten(1, (-1, len(pixels))).permute(1, 3, 0, 2).float() / 127.5 - 1


def keep(args, own: dict, key: tuple, scores: dict) -> None:
    """Add a line: one write, so that a cut leaves all of it or nothing."""
    record = dict(zip(("clip", "method", "edit"), key)) | {"settings": own} | scores
    with open(args.results, "a") as file:
        file.write(json.dumps(record) + "\n")
    print(
        f"{key}: " + "  ".join(f"{name} {value:.3g}" for name, value in scores.items()), flush=True
    )


def kept_network(
    clip: int, kind: str, model: StableDiffusion, posterior: Posterior, caption: str, args
) -> tuple:
    """`ablations.network` and the seconds that it took; once tuned, the trained tensors are read
    again."""
    path = strip(
        args, {**settings(model, args), "steps": 0, "guidance": 0.0}, (clip, kind), "safetensors"
    )
    if path.exists():  # whatever the steps and the guidance of sampling were
        net = network(
            model, kind, posterior, caption, argparse.Namespace(**{**vars(args), "tune_steps": 0})
        )
        net.unet.load_state_dict(load_file(path), strict=False)
        return net, float(safe_open(path, "pt").metadata()["seconds"])
    began = time.monotonic()
    net = network(model, kind, posterior, caption, args)
    seconds = time.monotonic() - began
    trained = {name: p.detach().cpu() for name, p in net.unet.named_parameters() if p.requires_grad}
    if kind not in ("image", "untuned"):
        with replacing(path) as part:  # a cut leaves no half of it
            save_file(trained, part, {"seconds": str(seconds)})
    return net, seconds


def videos_of(
    clip: int, wanted: dict[str, list[str]], model: StableDiffusion, args
) -> Iterable[tuple]:
    """(method, edit, video (f, 3, H, W), seconds) for the wanted edits of each method; a network is
    tuned once.

    Seconds are of tuning, inversion and a share of sampling all edits at once: what one edit costs
    by itself.
    """
    source, edits = scenes_of(clip, args.frames)
    frames, caption = draw(source, model.size), world.caption(source[0])
    posterior = tuning.encode_clip(model, frames.to(model.device))
    for kind in dict.fromkeys(METHODS[method][1] for method in wanted):
        net, tuned = (
            kept_network(clip, kind, model, posterior, caption, args) if kind else (model, 0.0)
        )
        for method in [m for m in wanted if METHODS[m][1] == kind]:
            kinds, began = wanted[method], time.monotonic()
            if kind:
                begin = noise(net, kind, METHODS[method][2], posterior.mean, caption, args)
                inverted, began = time.monotonic() - began, time.monotonic()
                prompts = [world.caption(edits[edit][0]) for edit in kinds]
                negative = caption if method in ("negative", "both") else ""
                videos = sampled(net, kind, begin, prompts, negative, args)
                seconds = tuned + inverted + (time.monotonic() - began) / len(kinds)
            else:
                ideals = [draw(edits[edit], model.size).to(model.device) for edit in kinds]
                through = [
                    decode(model.vae, tuning.encode_clip(model, ideal).mean) for ideal in ideals
                ]
                videos, seconds = through if method == "ideal" else [frames] * len(kinds), 0.0
            yield from ((method, edit, video, seconds) for edit, video in zip(kinds, videos))


def run(model: StableDiffusion, args) -> None:
    """Make and score what is missing."""
    own, scorer = settings(model, args), Scorer(args.weights)
    done = records(args, own)
    for clip in args.clips:
        missing = {m: [e for e in args.edits if (clip, m, e) not in done] for m in args.methods}
        source, edits = scenes_of(clip, args.frames)
        for method, edit, video, seconds in videos_of(
            clip, {m: e for m, e in missing.items() if e}, model, args
        ):
            key = (clip, method, edit)
            path = strip(args, own, key)
            Image.fromarray(np.hstack(to_uint8(video))).save(path)
            scores = scorer(read_strip(path), source, edits[edit], edit)
            keep(args, own, key, scores | {"seconds": seconds})


def rescore(model: StableDiffusion, args) -> None:
    """Score the stored videos again, say with a better judge."""
    own, scorer = settings(model, args), Scorer(args.weights)
    for key, record in records(args, own).items():
        source, edits = scenes_of(key[0], args.frames)
        scores = scorer(read_strip(strip(args, own, key)), source, edits[key[2]], key[2])
        keep(args, own, key, scores | {"seconds": record["seconds"]})


# ---- the report


def averages(done: dict[tuple, dict], method: str, metric: str, args) -> dict[int, float]:
    """For each clip of which all the edits are done, their mean."""
    found = {clip: [done.get((clip, method, edit)) for edit in args.edits] for clip in args.clips}
    return {clip: float(np.mean([r[metric] for r in rs])) for clip, rs in found.items() if all(rs)}


def figure(values: Iterable[float], metric: str) -> str:
    """Mean and standard error over clips; no error for one clip, nothing for none."""
    _, decimals, factor = METRICS[metric]
    v = factor * np.array(list(values))
    error = f" ± {v.std(ddof=1) / len(v) ** 0.5:.{decimals}f}" if len(v) > 1 else ""
    return f"{v.mean():.{decimals}f}{error}" if len(v) else ""


def table(done: dict[tuple, dict], args, minus: str = "") -> list[list[str]]:
    """Rows of words: the methods' scores, or by how much they differ from the method `minus`, clip
    by clip."""
    first = "difference to " + METHODS[minus][0] if minus else "method"
    rows = [[first, "clips", *(head for head, _, _ in METRICS.values())]]
    for method in [m for m in args.methods if m != minus]:
        cells = []
        for metric in METRICS:
            values, other = (averages(done, m, metric, args) for m in (method, minus or method))
            both = [clip for clip in values if clip in other]
            cells.append(
                figure((values[c] - other[c] if minus else values[c] for c in both), metric)
            )
        rows += [[METHODS[method][0], str(len(both)), *cells]] if both else []
    return rows


def markdown(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" + "|---:" * (len(rows[0]) - 1) + "|", *lines[1:]])


def picture(rows: list[list[str]]) -> Image.Image:
    """The table as a picture: the first column to the left, the others to the right."""
    font = ImageFont.load_default(16)
    widths = [max(font.getlength(row[i]) for row in rows) + 28 for i in range(len(rows[0]))]
    page = Image.new("RGB", (round(sum(widths)) + 20, 32 * len(rows) + 16), "white")
    draw = ImageDraw.Draw(page)
    for k, row in enumerate(rows):
        for i, cell in enumerate(row):
            x = 20 + (sum(widths[: i + 1]) - 28 if i else 0)
            draw.text((x, 24 + 32 * k), cell, "black", font, anchor="rm" if i else "lm")
    draw.line((16, 40, page.width - 16, 40), "gray", 2)
    return page


def report(model: StableDiffusion, args) -> None:
    """Print the table; write it as evaluation.md and .png, and the sheet of the first clip's first
    edit."""
    own = settings(model, args)
    done, (clip, edit) = records(args, own), (args.clips[0], args.edits[0])
    rows, command = (
        table(done, args),
        "python weights/make/" + " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    )
    facts = (
        f"Mean ± standard error over clips, each the mean of its edits ({', '.join(args.edits)}). "
    )
    facts += f"{date.today()}, `{command}`, " + ", ".join(
        f"{name} {value}" for name, value in own.items()
    )
    text = "\n\n".join([markdown(rows), markdown(table(done, args, minus="full")), facts]) + "\n"
    print(text)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "evaluation.md").write_text(text, encoding="utf-8")
    picture(rows).save(args.out / "evaluation.png")
    source, edits = scenes_of(clip, args.frames)
    videos = [
        (METHODS[m][0], strip(args, own, (clip, m, edit)))
        for m in args.methods
        if m not in ("source", "ideal")
    ]
    films = [(label, read_strip(path)) for label, path in videos if path.exists()]
    first = (f"source: {world.caption(source[0])}", draw(source, model.size))
    last = (f"ideal: {world.caption(edits[edit][0])}", draw(edits[edit], model.size))
    page = sheet([first, *films, last], cell=92)
    page.quantize(256, dither=Image.Dither.NONE).save(args.out / "evaluation-sheet.png")


def sweep(model: StableDiffusion, args) -> None:
    """Print the scores on the clips asked for, by every setting and method that has been run on all
    of them."""
    heads, lines = list(settings(model, args)), args.results.read_text().splitlines()
    kinds = {json.dumps(r["settings"]): r["settings"] for r in map(json.loads, lines)}
    rows = [[*heads[:-1], "method", *(head for head, _, _ in METRICS.values())]]
    for own in [kind for kind in kinds.values() if kind["weights"] == model.hash[:12]]:
        done = records(args, own)
        for method in METHODS:
            scores = {metric: averages(done, method, metric, args).values() for metric in METRICS}
            if len(scores["psnr"]) == len(args.clips):
                cells = [figure(values, metric) for metric, values in scores.items()]
                rows.append(
                    [*(f"{own[head]:g}" for head in heads[:-1]), METHODS[method][0], *cells]
                )
    print(markdown(rows))


def numbers(text: str) -> list[int]:
    """ "0-2,5" -> [0, 1, 2, 5]"""
    ends = [[int(n) for n in part.split("-")] for part in text.split(",")]
    return [n for e in ends for n in range(e[0], e[-1] + 1)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--clips", type=numbers, default=list(range(len(CLIPS))), help="such as 0-5,8")
    add(
        "--methods",
        type=lambda text: text.split(","),
        default=USUAL,
        help=f"of {', '.join(METHODS)}",
    )
    add(
        "--edits",
        type=lambda text: text.split(","),
        default=list(EDITS),
        help=f"of {', '.join(EDITS)}",
    )
    add("--weights", default=str(train.ROOT / "weights" / "mini"))
    own = "(default: the weights' own, but 8 frames)"
    for name in ("--frames", "--steps", "--tune-steps"):
        add(name, type=int, help=own)
    for name in ("--lr", "--guidance"):
        add(name, type=float, help=own)
    add("--seed", type=int, default=0)
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--results", type=Path, default=Path(__file__).parent / "build" / "evaluate.jsonl")
    add("--out", type=Path, default=train.ROOT / "lessons" / "figures")
    add("--rescore", action="store_true")
    add("--table", action="store_true")
    add("--sweep", action="store_true")
    args = parser.parse_args()
    model = load(args.weights, args.device)
    tune, sample = model.recipe("tune"), model.recipe("sample")
    usual = {"frames": 8, "tune_steps": tune["steps"], "lr": tune["lr"]}
    for name, value in (usual | {"steps": sample["steps"], "guidance": sample["guidance"]}).items():
        setattr(args, name, value if getattr(args, name) is None else getattr(args, name))
    for file in () if args.table or args.sweep else (judge.FILE, pose.FILE):
        if not file.exists():
            parser.error(f"{file} is not there yet; make it with {file.stem}.py")
    work = report if args.table else sweep if args.sweep else rescore if args.rescore else run
    work(model, args)


if __name__ == "__main__":
    main()

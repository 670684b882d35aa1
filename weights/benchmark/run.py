"""Make and score the edits of methods, for the leaderboard.

    python -m weights.benchmark.run plain caption         what is missing of these methods' rows
    python -m weights.benchmark.run caption --clips 0-5 --out build/trials --guidance 3

Every edit adds a line to OUT/METHOD.jsonl, and its frames as a picture to OUT/frames. A run that
was cut goes on with the next clip. The first line of a file says how the others were made; a run
with other settings or weights is refused there.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path

import numpy as np
from PIL import Image

from tav.io.weights import load
from tav.model import StableDiffusion
from tav.vae import to_uint8

from .clips import REPORT, make_clip
from .job import Job, Settings
from .methods import METHODS
from .scores import Scorer

RESULTS = Path(__file__).parent / "results"
BUILD = Path(__file__).parent / "build"
HEAD = ["git", "rev-parse", "--short", "HEAD"]
# Now, and not when a file is begun: this is the code that this process has read.
COMMIT = subprocess.run(HEAD, capture_output=True, text=True, cwd=RESULTS.parent).stdout.strip()


def header(method: str, settings: Settings, digest: str) -> dict:
    """How a file's rows are made: what has to agree if rows are added to it."""
    return {"method": method, "settings": asdict(settings), "weights_hash": digest}


def read(file: Path) -> tuple[dict, dict[tuple[int, str], dict]]:
    """The header of a file of results, and its rows by clip and edit."""
    first, *lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return first, {(row["clip"], row["edit"]): row for row in lines}


def begun(file: Path, method: str, settings: Settings, digest: str) -> set[int]:
    """The clips that the file has already. A new file gets its header; ValueError if the file has
    another one."""
    wanted = header(method, settings, digest)
    if file.exists():
        first, rows = read(file)
        if any(first[key] != wanted[key] for key in wanted):
            raise ValueError(f"{file} has results of other settings or weights; delete it first")
        return {clip for clip, _ in rows}
    facts = {"commit": COMMIT, "date": str(date.today())}
    options = [word for word in sys.argv[1:] if word not in METHODS]
    facts["command"] = " ".join(["python -m weights.benchmark.run", method, *options])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(wanted | facts) + "\n", encoding="utf-8")
    return set()


def run(
    method: str,
    clips: list[int],
    settings: Settings,
    out: Path,
    model: StableDiffusion,
    scorer: Scorer,
) -> None:
    """Add to `out` what is missing of a method's rows, a clip at a time."""
    file = out / f"{method}.jsonl"
    done = begun(file, method, settings, model.hash)
    for number in [number for number in clips if number not in done]:
        clip = make_clip(number, settings.frames)
        job = Job(model, clip, settings, BUILD)
        began = time.monotonic()
        videos = METHODS[method](job)
        if not all(video.isfinite().all() for video in videos.values()):
            raise ValueError(f"{method}, clip {number}: there is a video that is not finite")
        seconds = (time.monotonic() - began + job.saved) / len(videos)
        rows = []
        for edit, video in videos.items():
            picture = out / "frames" / f"{method}-{number}-{edit}.png"
            picture.parent.mkdir(exist_ok=True)
            Image.fromarray(np.hstack(to_uint8(video))).save(picture)
            row = {"clip": number, "edit": edit} | scorer(video, clip, edit)
            rows.append(json.dumps(row | {"seconds": seconds}) + "\n")
            print(f"{method}, clip {number}, {edit}: {row['psnr']:.2f} dB", flush=True)
        with open(file, "a", encoding="utf-8") as lines:
            lines.write("".join(rows))  # all edits of a clip, or none


def numbers(text: str) -> list[int]:
    """ "0-2,5" -> [0, 1, 2, 5]"""
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("methods", nargs="+", choices=METHODS, metavar="METHOD", help=names())
    parser.add_argument("--clips", type=numbers, default=list(REPORT))
    parser.add_argument("--out", type=Path, default=RESULTS)
    for field in fields(Settings):
        option = "--" + field.name.replace("_", "-")
        parser.add_argument(option, type=type(field.default), default=field.default)
    args = parser.parse_args()
    settings = Settings(**{field.name: getattr(args, field.name) for field in fields(Settings)})
    model, scorer = load(settings.weights), Scorer(settings.weights)
    for method in args.methods:
        run(method, args.clips, settings, args.out, model, scorer)


def names() -> str:
    return "\n".join(f"{name}: {method.label}" for name, method in METHODS.items())


if __name__ == "__main__":
    main()

"""Make and score the edits of rows.

    python -m weights.benchmark.run no-sc no-temp                what is missing of these rows
    python -m weights.benchmark.run no-sc --clips 0 1 2 3 4 5 --out build/trials

Each edit adds a line to OUT/ROW.jsonl, and its frames as a picture to OUT/frames. The first line
says how the others were made. A run that was cut goes on with the next clip.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, fields, replace
from datetime import date
from math import isnan
from pathlib import Path

import numpy as np
from PIL import Image

from tav.io.weights import load
from tav.model import StableDiffusion, Unsuitable
from tav.vae import to_uint8

from .clips import REPORT, make_clip
from .rows import HIGHER, ROWS, Job, Settings
from .scores import Scorer

HERE = Path(__file__).parent
MEASURED = HERE / "measured"
# Now, and not when a file is begun: this is the code that this process has read.
DESCRIBE = ["git", "describe", "--always", "--dirty", "--exclude=*"]
COMMIT = subprocess.run(DESCRIBE, capture_output=True, text=True, cwd=HERE).stdout.strip()


def read(file: Path) -> tuple[dict, list[dict]]:
    """The header of a file of results, and its lines."""
    header, *lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return header, lines


def begin(file: Path, settings: Settings, weights: str, scorer: str) -> set[int]:
    """The clips that the file has already; a new file gets its header.

    Unsuitable if the file was made with other settings, or weights or a scorer of another hash.
    """
    wanted = {"row": file.stem, "settings": asdict(settings)}
    wanted |= {"weights_hash": weights, "scorer_hash": scorer}
    if file.exists():
        header, lines = read(file)
        odd = [key for key in wanted if header.get(key) != wanted[key]]
        if odd:
            raise Unsuitable(f"{file} was made with other {', '.join(odd)}; delete it first")
        return {line["clip"] for line in lines}
    options = "".join(f" {word}" for word in sys.argv[1:] if word not in ROWS)
    command = f"python -m weights.benchmark.run {file.stem}{options}"
    facts = {"command": command, "commit": COMMIT, "date": str(date.today())}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(wanted | facts) + "\n", encoding="utf-8")
    return set()


def run(
    row: str, clips: list[int], settings: Settings, out: Path, model: StableDiffusion, scorer
) -> None:
    """Add to `out` what is missing of a row, a clip at a time."""
    file, pictures = out / f"{row}.jsonl", out / "frames"
    done = begin(file, settings, model.hash, scorer.digest)
    pictures.mkdir(exist_ok=True)
    for number in [number for number in clips if number not in done]:
        clip, began, lines = make_clip(number, settings.frames), time.monotonic(), []
        jobs = [Job(model, clip, settings, list(clip.edits))]
        if ROWS[row].higher and "open" in clip.edits:
            stronger = replace(settings, guidance=HIGHER * settings.guidance)
            jobs.append(Job(model, clip, stronger, ["open"]))
        for job in jobs:
            for edit, video in ROWS[row].edit(job).items():
                if not video.isfinite().all():
                    raise Unsuitable(f"{row}, clip {number}: not finite; lower lr or guidance")
                line = {"clip": number, "edit": edit, "guidance": job.settings.guidance}
                for name, value in scorer(video, clip, edit).items():
                    line[name] = None if isnan(value) else round(value, 5)
                picture = f"{row}-{number}-{edit}-{job.settings.guidance:g}.png"
                Image.fromarray(np.hstack(to_uint8(video))).save(pictures / picture)
                print(row, line, flush=True)
                lines.append(line)
        each = {"seconds": round((time.monotonic() - began) / len(lines), 1)}
        text = "".join(json.dumps(line | each) + "\n" for line in lines)
        with open(file, "a", encoding="utf-8") as rest:
            rest.write(text)  # all edits of a clip, or none


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    names = "\n".join(f"{name}: {row.label}" for name, row in ROWS.items())
    parser.add_argument("rows", nargs="+", choices=ROWS, metavar="ROW", help=names)
    parser.add_argument("--clips", nargs="+", type=int, default=list(REPORT), metavar="N")
    parser.add_argument("--out", type=Path, default=MEASURED)
    parser.add_argument("--weights", default=str(HERE.parent / "mini"))
    for field in fields(Settings):
        parser.add_argument("--" + field.name.replace("_", "-"), type=field.type)
    args = parser.parse_args()
    if args.out == MEASURED and not set(args.clips) <= set(REPORT):
        parser.error("to try something on other clips than those that are reported, give --out")
    model, scorer = load(args.weights, "cpu"), Scorer(args.weights)
    tune, sample = model.recipe("tune"), model.recipe("sample")
    asked = {"tune_steps": tune["steps"], "lr": tune["lr"]}
    asked |= {"steps": sample["steps"], "guidance": sample["guidance"]}
    for field in fields(Settings):
        if getattr(args, field.name) is not None:
            asked[field.name] = getattr(args, field.name)
    try:
        for row in args.rows:
            run(row, args.clips, Settings(**asked), args.out, model, scorer)
    except Unsuitable as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

"""Make the page of the leaderboard: LEADERBOARD.md and leaderboard.png.

    python -m weights.benchmark.report [--results FOLDER] [--out FOLDER]

It ranks what `weights.benchmark.run` has left in the folder. A method reaches the floors if it
shows what was asked in at least 95 % of the frames, and moves the subject no worse than plain
Tune-A-Video does. Those that do come first, by the mean PSNR to the ideal edit. A method that
copies the source, or returns a still, does not.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tav.io.sheets import sheet
from tav.vae import from_bytes

from .clips import LOOKS, MOTION, PLANS, TRAINED, make_clip
from .clips import drawn as draw_scenes
from .methods import METHODS, PLAIN
from .run import RESULTS, read
from .scores import SCORES

ASKED = 0.95  # the least share of frames that show what was asked
EDITS = ("subject", "background", "attribute", "style", "color", "two")
SHOWN = 12, 16  # of these clips the picture has every edit


@dataclass(frozen=True)
class Entry:
    """The results of one method: how they were made, and its rows by clip and edit."""

    method: str
    facts: dict
    rows: dict[tuple[int, str], dict]

    @property
    def label(self) -> str:
        return METHODS[self.method].label if self.method in METHODS else self.method

    @property
    def bound(self) -> bool:
        return self.method in METHODS and METHODS[self.method].bound

    def by_clip(
        self,
        score: str,
        edits: Iterable[str] = EDITS,
        kinds: Iterable[str] = (TRAINED, LOOKS, MOTION),
    ) -> dict[int, float]:
        """For each clip of these kinds, the mean of a score over these edits; without those clips
        where it is not defined for any."""
        means = {}
        for clip in sorted({clip for clip, _ in self.rows}):
            values = [self.rows.get((clip, edit), {}).get(score, np.nan) for edit in edits]
            finite = [value for value in values if np.isfinite(value)]
            if finite and PLANS[clip].kind in kinds:
                means[clip] = float(np.mean(finite))
        return means

    def mean(self, score: str) -> float:
        return float(np.mean(list(self.by_clip(score).values()) or [np.nan]))


def entries(folder: Path) -> list[Entry]:
    """Every method that has results in the folder."""
    files = sorted(folder.glob("*.jsonl"))
    return [Entry(file.stem, *read(file)) for file in files]


def reaches_floors(entry: Entry, plain: Entry) -> bool:
    """Whether a method shows what was asked and moves no worse than plain Tune-A-Video, but for
    rounding."""
    moves = entry.mean("motion") <= plain.mean("motion") + 1e-6
    return entry.mean("asked") >= ASKED and moves


def ranked(found: list[Entry]) -> list[Entry]:
    """First those that reach the floors, each part by PSNR. ValueError without plain
    Tune-A-Video, which sets one floor, or if two were not made in the same way."""
    plain = next((entry for entry in found if entry.method == PLAIN), None)
    if plain is None:
        raise ValueError(f"no results of {PLAIN!r} in the folder; run that method first")
    for entry in found:
        for key in ("settings", "weights_hash"):
            if entry.facts[key] != plain.facts[key]:
                raise ValueError(f"{entry.method} was run with other {key} than {PLAIN}")
        if entry.rows.keys() != plain.rows.keys():
            raise ValueError(f"{entry.method} was run on other clips than {PLAIN}")
    return sorted(found, key=lambda entry: (not reaches_floors(entry, plain), -entry.mean("psnr")))


# ---- the page


def spread(values: Iterable[float], score: str, sign: str = "") -> str:
    """Mean and standard error over clips, in the units of the page; "" if there are none."""
    _, digits, factor = SCORES[score]
    v = factor * np.array(list(values))
    if not len(v):
        return ""
    error = f" ± {v.std(ddof=1) / len(v) ** 0.5:.{digits}f}" if len(v) > 1 else ""
    return f"{v.mean():{sign}.{digits}f}{error}"


def gain(entry: Entry, plain: Entry, score: str = "psnr", **which) -> str:
    """The difference to plain Tune-A-Video, edit by edit; then its mean over each clip's edits.
    "" for plain Tune-A-Video itself."""
    if entry.method == PLAIN:
        return ""
    rows = {key: {score: row[score] - plain.rows[key][score]} for key, row in entry.rows.items()}
    differences = Entry(entry.method, {}, rows).by_clip(score, **which)
    return spread(differences.values(), score, "+")


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(order: list[Entry]) -> str:
    """The whole page, as markdown."""
    plain = next(entry for entry in order if entry.method == PLAIN)
    places, place = {}, 0
    for entry in order:
        if entry.bound:
            places[entry.method] = "bound"
        elif reaches_floors(entry, plain):
            place += 1
            places[entry.method] = str(place)
        else:
            places[entry.method] = "–"

    def rows(cells) -> list[list[str]]:
        return [[places[e.method], f"{e.label} (`{e.method}`)", *cells(e)] for e in order]

    def row(entry: Entry) -> list[str]:
        shown = [spread(entry.by_clip(s).values(), s) for s in ("asked", "success", "motion")]
        seconds = np.mean([row["seconds"] for row in entry.rows.values()])
        psnr = spread(entry.by_clip("psnr").values(), "psnr")
        return [psnr, gain(entry, plain), *shown, f"{seconds:.1f}"]

    heads = [SCORES[name][0] for name in ("psnr", "asked", "success", "motion")]
    head = ["", "method", heads[0], "to plain", *heads[1:], "seconds an edit"]
    more = [name for name in SCORES if name not in ("psnr", "asked", "success", "motion")]
    compared = ["psnr", "asked", "success", "motion", *more]
    kinds = [TRAINED, LOOKS, MOTION]
    clips = sorted({clip for clip, _ in plain.rows})
    settings = ", ".join(f"{key} {value}" for key, value in plain.facts["settings"].items())
    return "\n\n".join(
        [
            "# Leaderboard",
            INTRODUCTION.format(count=len(clips), first=clips[0], last=clips[-1]),
            table(head, rows(row)),
            "![Source, plain Tune-A-Video, the method at the top, the ideal](leaderboard.png)",
            "## The other scores",
            table(
                ["", "method", *(SCORES[name][0] for name in more)],
                rows(lambda e: [spread(e.by_clip(name).values(), name) for name in more]),
            ),
            "## The same, as differences to plain Tune-A-Video",
            table(
                ["", "method", *(SCORES[name][0] for name in compared)],
                rows(lambda e: [gain(e, plain, name) for name in compared]),
            ),
            "## The same, on the clips with new looks or new motion only",
            table(
                ["", "method", *(SCORES[name][0] for name in compared)],
                rows(lambda e: [gain(e, plain, x, kinds=[LOOKS, MOTION]) for x in compared]),
            ),
            "## PSNR by edit, and the difference to plain Tune-A-Video by kind of clip",
            table(
                ["", "method", *EDITS, *kinds],
                rows(
                    lambda e: (
                        [spread(e.by_clip("psnr", [x]).values(), "psnr") for x in EDITS]
                        + [gain(e, plain, kinds=[kind]) for kind in kinds]
                    )
                ),
            ),
            "## How each row was made",
            table(
                ["", "method", "command", "commit", "date"],
                rows(lambda e: [f"`{e.facts['command']}`", e.facts["commit"], e.facts["date"]]),
            ),
            f"Settings: {settings}. Weights: {plain.facts['weights_hash'][:12]}.",
            HOW_TO_ADD,
        ]
    )


INTRODUCTION = """\
How close does a method come to the edit that was asked for? The world of these clips is drawn, so
the ideal edit can be drawn as well. The number that ranks is the mean PSNR to it over {count} clips
({first} to {last}), each with up to six edits. It counts only if the method reaches two floors: the
change that was asked for is there in at least 95 % of the frames, and the subject moves no worse
than plain Tune-A-Video makes it (a method that misses one has "–" for its place). The networks that
judge this err themselves; the row of the ideal edit shows by how much. A bound looks at the answer.
Mean ± standard error over clips; "to plain" is the difference to plain Tune-A-Video, edit by edit.
Where a prompt asks for something that the clip does not show, such as a new beach, the closest of
several right answers counts."""

HOW_TO_ADD = """\
## Add a method

1. Write a class in a file of its own in `weights/benchmark/methods/`. It has a `label`, a `bound`
   (False), and is called with a `Job`: it returns a video for each of `job.prompts`. `job.tuned()`
   is the model tuned on the clip; `tune_a_video.py` is the shortest example.
2. Name it in `METHODS` of `weights/benchmark/methods/__init__.py`.
3. Choose its settings on clips 0 to 5:
   `python -m weights.benchmark.run NAME --clips 0-5 --out build/trials`.
4. Run it once on the others: `python -m weights.benchmark.run NAME`.
5. Make this page again: `python -m weights.benchmark.report`.
"""


# ---- the picture


def frames_of(folder: Path, method: str, clip: int, edit: str) -> Tensor:
    """The frames (f, 3, H, W) that `run` has left as a picture."""
    picture = Image.open(folder / "frames" / f"{method}-{clip}-{edit}.png").convert("RGB")
    pixels = torch.from_numpy(np.array(picture))  # H f*W 3
    return from_bytes(pixels.unflatten(1, (-1, len(pixels))).permute(1, 3, 0, 2))


def picture(order: list[Entry], folder: Path) -> Image.Image:
    """By edit of two clips: the source, plain Tune-A-Video, the method at the top, the ideal."""
    plain = next(entry for entry in order if entry.method == PLAIN)
    best = next(entry for entry in order if not entry.bound)
    columns = []
    for number in SHOWN:
        frames = order[0].facts["settings"]["frames"]
        clip = make_clip(number, frames)
        rows = [(f"source: {clip.caption}", draw_scenes(clip.source, 128))]
        for edit in clip.edits:
            for entry in [plain] if best == plain else [plain, best]:
                label = f"{entry.label}: {clip.prompt(edit)}"
                rows.append((label, frames_of(folder, entry.method, number, edit)))
            rows.append((f"ideal: {clip.prompt(edit)}", draw_scenes(clip.ideals(edit)[0], 128)))
        columns.append(sheet(rows, cell=96))
    image = Image.new(
        "RGB", (sum(c.width for c in columns), max(c.height for c in columns)), "white"
    )
    left = 0
    for column in columns:
        image.paste(column, (left, 0))
        left += column.width
    return image


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    order = ranked(entries(args.results))
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "LEADERBOARD.md").write_text(page(order), encoding="utf-8")
    try:
        image = picture(order, args.results)
    except FileNotFoundError as error:  # frames are not kept in git; run makes them
        print(f"no new leaderboard.png, for lack of {error.filename}")
    else:
        image.quantize(256, dither=Image.Dither.NONE).save(args.out / "leaderboard.png")


if __name__ == "__main__":
    main()

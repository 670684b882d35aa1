"""Make the page of results, RESULTS.md, from the rows that are there and the words of page.md.

python -m weights.benchmark.report [FOLDER]      it stands beside the folder with the rows
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tav.model import Unsuitable

from ..make.pose import movement
from .clips import EDITS, REPORT, make_clip
from .rows import HIGHER, ROWS
from .run import HERE, MEASURED, read
from .scores import COLUMNS

NO_RIVALS = ("ideal", "source")  # one looks at the answer, one does nothing: never marked as best
CORNERS = {  # of the two-by-two: with Temp-Attn, and without
    "with SC-Attn": ("tune-a-video", "no-temp"),
    "without SC-Attn": ("no-sc", "neither"),
}
CHANGES = {  # what is left out or done in another way: the row without it, and the one with it
    "SC-Attn": ("no-sc", "tune-a-video"),
    "SC-Attn, where Temp-Attn is not there either": ("neither", "no-temp"),
    "Temp-Attn": ("no-temp", "tune-a-video"),
    "Temp-Attn, where SC-Attn is not there either": ("neither", "no-sc"),
    "tuning, and with it Temp-Attn": ("untuned", "tune-a-video"),
    "tuning, where Temp-Attn is not there either": ("untuned", "no-temp"),
    "inversion": ("no-inversion", "tune-a-video"),
    "everything, frame by frame": ("frame-by-frame", "tune-a-video"),
    "the empty prompt of inversion: its caption": ("caption", "tune-a-video"),
    "sampling: the difference": ("difference", "tune-a-video"),
}
PAIRS = {"tuned": ("tune-a-video", "no-sc"), "not tuned": ("untuned", "untuned-no-sc")}
TIMES = {1.0: "the usual guidance", HIGHER: f"{HIGHER:g} times that"}


@dataclass(frozen=True)
class Result:
    """What was measured of one row: how it was made, and a line for each edit of each clip."""

    facts: dict
    lines: list[dict]

    def by_clip(self, score: str, edits: tuple = EDITS, times: float = 1.0) -> dict[int, float]:
        """For each clip the mean of a score over these edits, where guidance was so many times the
        usual one; without clips where there is nothing to average."""
        guidance, found = times * self.facts["settings"]["guidance"], {}
        for line in self.lines:
            asked = line["edit"] in edits and np.isclose(line["guidance"], guidance)
            if asked and line[score] is not None:
                found.setdefault(line["clip"], []).append(line[score])
        return {clip: float(np.mean(values)) for clip, values in found.items()}


def results(folder: Path) -> dict[str, Result]:
    """By name, the rows that have results in the folder; Unsuitable if there are none, or if two
    were made with other settings or weights."""
    files = [(name, folder / f"{name}.jsonl") for name in ROWS]
    found = {name: Result(*read(file)) for name, file in files if file.exists()}
    found = {name: result for name, result in found.items() if result.lines}
    if not found:
        raise Unsuitable(f"{folder} has no results; make some with weights.benchmark.run")
    first, *others = found
    for other in others:
        for key in ("settings", "weights_hash", "scorer_hash"):
            if found[other].facts[key] != found[first].facts[key]:
                raise Unsuitable(f"{first} and {other} differ in {key}; run one of them again")
    return found


def cell(values: dict[int, float], digits: int, sign: str = "") -> str:
    """Mean and standard error over clips; "" if there are none."""
    if not values:
        return ""
    mean, error = mean_and_error(values)
    return f"{mean:{sign}.{digits}f}" + (f" ± {error:.{digits}f}" if len(values) > 1 else "")


def mean_and_error(values: dict[int, float]) -> tuple[float, float]:
    v = np.array(list(values.values()))
    return v.mean(), v.std(ddof=1) / len(v) ** 0.5 if len(v) > 1 else float("inf")


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def all_scores(found: dict[str, Result]) -> str:
    """A row for each way to edit, a column for each score; the best mean of a column in bold."""
    rows = {name: [f"{ROWS[name].label} (`{name}`)"] for name in found}
    for score, (_, digits, better) in COLUMNS.items():
        values = {name: result.by_clip(score) for name, result in found.items()}
        rivals = [name for name in found if values[name] and name not in NO_RIVALS]
        rivals.sort(key=lambda name: abs(np.mean(list(values[name].values()))))
        best = {"low": rivals[:1], "high": rivals[-1:], "": []}[better]
        for name in found:
            shown = cell(values[name], digits)
            rows[name].append(f"**{shown}**" if name in best else shown)
    return table(["", *(label for label, _, _ in COLUMNS.values())], list(rows.values()))


def by_edit(found: dict[str, Result]) -> str:
    """The same rows, a column for each kind of edit: spread, and the share of what was asked."""
    rows = []
    for name, result in found.items():
        row = [f"`{name}`"]
        for edit in EDITS:
            spread, asked = (result.by_clip(score, (edit,)) for score in ("spread", "asked"))
            row.append(f"{cell(spread, 1)}; {np.mean(list(asked.values())):.0f}" if asked else "")
        rows.append(row)
    return table(["", *EDITS], rows)


def on_open(found: dict[str, Result], name: str, score: str, times: float) -> dict[int, float]:
    """A row's score by clip, on edits with open looks; nothing if the row is missing."""
    return found[name].by_clip(score, ("open",), times) if name in found else {}


def less(a: dict[int, float], b: dict[int, float]) -> dict[int, float]:
    """a - b for each clip that both have."""
    return {clip: a[clip] - b[clip] for clip in a if clip in b}


def two_by_two(found: dict[str, Result]) -> str:
    """SC-Attn x Temp-Attn on edits with open looks: three scores, at two guidances."""
    rows, shown = [], ("asked", "spread", "motion")
    for times, words in TIMES.items():
        for corner, names in CORNERS.items():
            cells = [
                cell(on_open(found, name, score, times), COLUMNS[score][1])
                for score in shown
                for name in names
            ]
            rows.append([f"{words}, {corner}", *cells])
    labels = [COLUMNS[score][0].split(",")[0] for score in shown]
    head = [f"{label}, {how} Temp-Attn" for label in labels for how in ("with", "without")]
    return table(["", *head], rows)


def changes(found: dict[str, Result]) -> str:
    """What it changes to leave a part out, clip by clip; bold if more than twice its error."""
    rows, shown = [], ("asked", "spread", "motion", "kept")
    settings = [("", EDITS, 1.0), (f"; open edits at {TIMES[HIGHER]}", ("open",), HIGHER)]
    for suffix, edits, times in settings:
        for what, names in CHANGES.items():
            if not all(name in found for name in names):
                continue
            cells = []
            for score in shown:
                more = less(*(found[name].by_clip(score, edits, times) for name in names))
                text = cell(more, 1, sign="+")
                mean, error = mean_and_error(more) if more else (0, 0)
                cells.append(f"**{text}**" if abs(mean) > 2 * error else text)
            if any(cells):
                rows.append([what + suffix, *cells])
    return table(["left out", *(COLUMNS[score][0] for score in shown)], rows)


def effect(found: dict[str, Result]) -> str:
    """What SC-Attn does to the spread on edits with open looks, edit by edit."""
    rows = []
    for tuned, names in PAIRS.items():
        for times, words in TIMES.items():
            (sc, plain), there, asked = (
                [on_open(found, name, score, times) for name in names]
                for score in ("spread", "spread_there", "asked")
            )
            gain = less(plain, sc)
            if gain:
                share = f"{sum(gain.values()) / sum(plain[clip] for clip in gain):.0%}"
                lower = f"{sum(value > 0 for value in gain.values())} of {len(gain)}"
                cells = [cell(values, 1) for values in (sc, plain, gain)]
                cells += [share, lower, cell(less(*reversed(there)), 1)]
                cells += [" and ".join(cell(one, 0) for one in asked)]
                rows.append([f"{tuned}, {words}", *cells])
    head = ["with SC-Attn", "without", "less by", "share", "lower in"]
    head += ["less by, where the joints should be", "asked is there, with and without"]
    return table(["", *head], rows)


def how_made(found: dict[str, Result]) -> str:
    rows = []
    for result in found.values():
        facts, clips = result.facts, len({line["clip"] for line in result.lines})
        minutes = sum(line["seconds"] for line in result.lines) / 60
        made = [f"`{facts['command']}`", facts["commit"], facts["date"]]
        rows.append([*made, f"{clips}", f"{minutes:.0f}"])
    return table(["command", "commit", "date", "clips", "minutes"], rows)


def standing_still(frames: int) -> str:
    """The motion error, in % of the width, of a figure that stands still at its mean position in
    the clip: mean over the clips."""
    errors = [movement(make_clip(number, frames).source) for number in REPORT]
    return f"{100 * np.mean(errors):.1f}"


def page(found: dict[str, Result]) -> str:
    """The whole page, as markdown."""
    facts = next(iter(found.values())).facts
    return (HERE / "page.md").read_text(encoding="utf-8").format(
        all_scores=all_scores(found), changes=changes(found), by_edit=by_edit(found),
        two_by_two=two_by_two(found), effect=effect(found), how_made=how_made(found),
        still=standing_still(facts["settings"]["frames"]), weights=facts["weights_hash"][:12],
        settings=", ".join(f"{key} {value}" for key, value in facts["settings"].items()),
    )  # fmt: skip


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("folder", nargs="?", type=Path, default=MEASURED)
    folder = parser.parse_args().folder
    try:
        text = page(results(folder))
    except Unsuitable as error:
        parser.error(str(error))
    (folder.parent / "RESULTS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

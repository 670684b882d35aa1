"""What tav.json, a model's own settings, and run.json, a run's, may say (lessons 00 and 06)."""

from pathlib import Path

from .checks import Either, Flag, ListOf, OneOf, Real, Text, Whole, refuse, wrong

DTYPE_WORDS = ("fp32", "bf16", "fp16")
TUNE = {
    "frames": Whole(1, 100_000),
    "start": Whole(0, 10_000_000),
    "stride": Whole(1, 100_000),
    "size": Whole(1, 65_536),
    "stretch": Flag(),
    "steps": Whole(1, 10_000_000),
    "lr": Real(0, 1),
}
SAMPLE = {
    "steps": Whole(1, 999),
    "guidance": Real(0, 1e6),
    "negative": Either(Text(), OneOf("")),
    "invert_caption": Flag(),
    "difference": Flag(),
    "prompts": ListOf(Text(), 1000),
}
# What every run.json has; older ones lack some of the others.
RUN_NEEDS = TUNE | {
    "clip": Text(),
    "prompt": Text(),
    "weights": Text(),
    "weights_hash": Text(),
    "dtype": OneOf(*DTYPE_WORDS),
    "seed": Whole(0, 2**32 - 1),
    "seconds": Real(0, 1e12),
}
RUN_MAY_LACK = {"frames", "start", "stride", "stretch"}
RUN = RUN_NEEDS | {"device": Text(), "memory": OneOf("low", "auto", "fast")}


def own_settings(file: Path, values: dict) -> dict:
    """What a tav.json says; UserError names the first key whose value no command could use."""
    advice = "mend it, or delete the file"
    refuse(file, wrong("note", values.get("note", ""), Either(Text(), OneOf(""))), advice)
    for command, kinds in {"tune": TUNE, "sample": SAMPLE}.items():
        settings = values.get(command, {})
        if not isinstance(settings, dict):
            refuse(file, f"{command} is no object", advice)
        for key in kinds.keys() & settings.keys():
            refuse(file, wrong(f"{command}: {key}", settings[key], kinds[key]), advice)
    return values


def run_settings(file: Path, values: dict) -> dict:
    """What a run.json says; UserError if a setting is missing or is nothing that tune.py writes."""
    advice = "mend it, or tune anew with tune.py"
    lacking = RUN_NEEDS.keys() - RUN_MAY_LACK - values.keys()
    if lacking:
        what = f"not a run folder (its run.json lacks {', '.join(sorted(lacking))})"
        refuse(file.parent, what, "tune.py makes one")
    for key in RUN.keys() & values.keys():
        refuse(file, wrong(key, values[key], RUN[key]), advice)
    return values

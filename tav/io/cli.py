"""The command line: what tune.py and sample.py can be told, and what a person reads while they
work or cannot go on (lesson 00).

The options also say what the settings in tav.json and run.json may be.
"""

import argparse
import errno
import os
import reprlib
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

PRECISIONS = ("fp32", "bf16", "fp16")
Options = dict[str, dict]  # by name, what argparse is told of it


class UserError(Exception):
    """A mistake the user can mend, in the form "what is wrong; what to do"."""


@contextmanager
def advising(kind: type[Exception], advice: str) -> Iterator[None]:
    """Within, such an error is the user's: tav/ says what is wrong, the command what to do."""
    try:
        yield
    except kind as error:
        raise UserError(f"{error}; {advice}") from None


class Parser(argparse.ArgumentParser):
    """Answers a wrong command line in one line."""

    def error(self, message: str) -> None:
        raise UserError(f"{message}; see --help")


def parse(options: Options, about: str) -> dict:
    """What the command line says, by the names of the options: only what was given."""
    parser = Parser(description=about, argument_default=argparse.SUPPRESS)
    for name, keywords in options.items():
        positional = "nargs" in keywords  # which only these have
        parser.add_argument(name if positional else f"--{name.replace('_', '-')}", **keywords)
    return vars(parser.parse_args())


def check(file: Path, settings: dict, options: Options, advice: str) -> None:
    """UserError, which ends with the advice, for settings of a JSON file that no option takes."""
    if not isinstance(settings, dict):
        raise UserError(f"{file}: {reprlib.repr(settings)} are no settings; {advice}")
    for key, option in options.items():
        if key in settings and not takes(option, settings[key]):
            what = f"{key} = {reprlib.repr(settings[key])} is no value of that option"
            raise UserError(f"{file}: {what}; {advice}")


def takes(option: dict, value: object) -> bool:
    """Whether an option could have this value, which comes from a JSON file."""
    if "action" in option:  # a flag
        return isinstance(value, bool)
    if "choices" in option:
        return value in option["choices"]
    if option.get("nargs") == "*":
        return isinstance(value, list) and value and all(is_of(option["type"], x) for x in value)
    return is_of(option["type"], value)


def is_of(kind: Callable, value: object) -> bool:
    """Whether the `type` of an argument would give this value, or clean these words to one."""
    try:
        if kind in (text, named, prompt):
            return isinstance(value, str) and kind(value) is not None
        words = "x".join(map(repr, value)) if isinstance(value, list) else repr(value)
        return type(value) is not bool and kind(words) == value  # Python says True == 1
    except (argparse.ArgumentTypeError, ValueError, RecursionError):
        return False


def text(words: str) -> str:
    """The `type` of an argument in plain words. All prompts that the commands get enter here."""
    from .vocabulary import clean_prompt  # here, because that file needs this one

    cleaned = clean_prompt(in_utf_8(words))
    # The same object if it is equal: by that argparse knows what was not given.
    return words if cleaned == words else cleaned


def prompt(words: str) -> str:
    """The `type` of an argument that is a prompt."""
    if not text(words).strip():
        raise argparse.ArgumentTypeError("an empty prompt, which should say what a video shows")
    return text(words)


def named(words: str) -> str:
    """The `type` of an argument that is the name of something."""
    if not words.strip():
        raise argparse.ArgumentTypeError("a name with nothing in it")
    return in_utf_8(words)


def in_utf_8(words: str) -> str:
    try:
        words.encode()
    except UnicodeEncodeError:  # a byte of another encoding, as a lone surrogate
        raise argparse.ArgumentTypeError(f"{words!a} is not in UTF-8") from None
    return words


def number(kind: type, least: float, most: float = sys.maxsize) -> Callable[[str], float]:
    """The `type` of an argument that is a finite int or float from `least` to `most`."""

    def parse(text: str) -> float:
        value = kind(text)
        if not least <= value <= most:  # and so for nan
            limit = f"{least} or more" if most == sys.maxsize else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"{text} is not {limit}")
        return value

    parse.__name__ = kind.__name__  # argparse: "invalid int value"
    return parse


def size(words: str) -> int | list[int]:
    """The `type` of --size: a square's side in pixels, or width and height as in 512x320."""
    sides = [number(int, 1, 16_384)(side) for side in words.lower().split("x")]
    if len(sides) > 2:
        raise argparse.ArgumentTypeError(f"{words} is neither a side nor WIDTHxHEIGHT")
    return sides[0] if sides[0] == sides[-1] else sides


SEED = number(int, 0, 2**32 - 1)
DEVICE = "cuda, cpu or mps (default: cuda if it is there, else cpu)"
DTYPE = "default: fp16 on cuda, and for large weights on a CPU with bf16 that; else fp32"
# What tune.py can be told of a run that stays as it was begun,
KEPT: Options = {
    "clip": dict(nargs="?", type=named, help="an mp4, gif or webm, or a folder of pictures"),
    "prompt": dict(nargs="?", type=prompt, help="what the clip shows"),
    "frames": dict(type=number(int, 1, 100_000), help="how many frames to tune on"),
    "start": dict(type=number(int, 0), help="the first frame (default 0)"),
    "stride": dict(type=number(int, 1), help="take every K-th frame"),
    "size": dict(type=size, metavar="PX|WxH", help="a square's side in pixels, or as in 512x320"),
    "stretch": dict(action="store_true", help="squeeze to that size instead of cropping"),
    "lr": dict(type=number(float, 0, 1), help="learning rate"),
    "seed": dict(type=SEED, help="seed of every random draw (default 0)"),
}
# and what may be another when it is resumed.
TUNE: Options = KEPT | {
    "steps": dict(type=number(int, 1), help="tuning steps in all"),
    "weights": dict(type=named, help="folder, .safetensors or hub id (default: the miniature)"),
    "preview": dict(type=number(int, 1), metavar="K", help="every K steps, an edit in previews/"),
    "preview_prompt": dict(type=prompt, metavar="TEXT", help="of that edit (default: an example)"),
    "device": dict(type=named, help=DEVICE),
    "dtype": dict(choices=PRECISIONS, help=DTYPE),
    "memory": dict(choices=("low", "auto", "fast"), help="low keeps little and computes more"),
    "out": dict(type=named, help="run folder (default: a new one in runs/)"),
    "resume": dict(action="store_true", help="continue the run in --out, or else the newest"),
}
SAMPLE: Options = {
    "prompts": dict(nargs="*", type=prompt, help="one video each (default: the weights' examples)"),
    "run": dict(type=named, help="run folder (default: the newest in runs/)"),
    "weights": dict(type=named, help="where the run's weights are now, if they moved"),
    "steps": dict(
        type=number(int, 1, 999), help="DDIM steps (published: 50), best a divisor of 1000"
    ),
    "guidance": dict(type=number(float, 0), help="classifier-free (published: 12.5; none: 1)"),
    "negative": dict(type=text, help="what the videos should not show"),
    "difference": dict(action="store_true", help="beyond the paper: edit without inversion"),
    "no_inversion": dict(action="store_true", help="start from random noise, not the clip's own"),
    "score": dict(action="store_true", help="print what CLIP says of frames and prompts"),
    "clip": dict(type=named, help="folder of that CLIP (default: the one beside the weights)"),
    "seed": dict(type=SEED, help="seed of the random noise (default 0)"),
    "device": dict(type=named, help=DEVICE),
    "dtype": dict(
        choices=PRECISIONS, help="default: as tuned on such a device, else as by tune.py"
    ),
}


def own_settings(file: Path, values: dict) -> dict:
    """What a tav.json says; UserError names the first setting that no command could use."""
    advice = "mend it, or delete the file"
    check(file, values, {"note": dict(type=text)}, advice)
    check(file, values.get("tune", {}), TUNE, advice)
    check(file, values.get("sample", {}), SAMPLE, advice)
    return values


def bar(loop: Iterable, desc: str, **options) -> tqdm:
    """A progress bar around a loop, shown once that takes over two seconds; of many processes, the
    first's."""
    hidden = os.environ.get("RANK", "0") != "0"
    return tqdm(loop, desc, delay=2, disable=hidden, **{"unit": "step"} | options)


def ctrl_c_waits() -> list[bool]:
    """From here on Ctrl-C only puts True into this list, for a loop to stop where it suits. Only
    the third one cuts: torchrun's processes get each one twice, from the terminal and from it."""
    asked = []

    def ask(*_) -> None:
        asked.append(True)
        if len(asked) == 2:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, ask)
    return asked


def run(main: Callable[[], None]) -> None:
    """Call `main()`: a UserError exits with status 2, Ctrl-C with 130 (128 + SIGINT), a bug as
    Python does."""
    warnings.formatwarning = lambda message, *_: f"warning: {message}\n"  # one line as well
    try:
        return main()
    except UserError as error:
        message, status = f"error: {error}", 2
    except KeyboardInterrupt as error:
        message, status = f"stopped by Ctrl-C{error}", 130
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        message, status = f"error: {error.filename}: {error.strerror}; use a shorter one", 2
    # Only here has the error let go of its progress bar, which ends its line.
    print(" ".join(message.split()), file=sys.stderr)
    sys.exit(status)

"""The command line: what tune.py and sample.py can be told, and what a person reads while they
work or cannot go on (lesson 00).

Only what was given is returned: a default is the weights' own or the command's. The options also
say what the settings in tav.json and run.json may be.
"""

import argparse
import errno
import os
import reprlib
import signal
import sys
import warnings
from argparse import BooleanOptionalAction
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

PRECISIONS = ("fp32", "bf16", "fp16")


class UserError(Exception):
    """A mistake the user can mend, in the form "what is wrong; what to do"."""


@contextmanager
def advising(kind: type[Exception], advice: str) -> Iterator[None]:
    """Within, an error of this kind is the user's: tav/ says what is wrong, we what to do."""
    try:
        yield
    except kind as error:
        raise UserError(f"{error}; {advice}") from None


class Parser(argparse.ArgumentParser):
    """Answers a wrong command line in one line; has no values for what was not given."""

    def __init__(self, **options):
        self.options = {}  # by the name of their values
        super().__init__(argument_default=argparse.SUPPRESS, **options)

    def add_argument(self, *names, **options) -> argparse.Action:
        action = super().add_argument(*names, **options)
        self.options[action.dest] = action
        return action

    def error(self, message: str) -> None:
        raise UserError(f"{message}; see --help")

    def check(self, file: Path, settings: dict, advice: str) -> None:
        """UserError, which ends with the advice, for a setting that no option would take."""
        if not isinstance(settings, dict):
            raise UserError(f"{file}: {reprlib.repr(settings)} are no settings; {advice}")
        for key, action in self.options.items():
            if key in settings and not takes(action, settings[key]):
                what = f"{key} = {reprlib.repr(settings[key])} is no value of that option"
                raise UserError(f"{file}: {what}; {advice}")


def takes(action: argparse.Action, value: object) -> bool:
    """Whether an option could have this value, which comes from a JSON file."""
    if action.nargs == 0:  # a flag
        return isinstance(value, bool)
    if action.choices:
        return value in action.choices
    if action.nargs == "*":
        return isinstance(value, list) and value and all(is_of(action.type, one) for one in value)
    return is_of(action.type, value)


def is_of(kind: Callable, value: object) -> bool:
    """Whether the `type` of an argument would give this value (words it would clean first)."""
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


def tune_parser(about: str | None = None) -> Parser:
    """What tune.py can be told."""
    parser = Parser(description=about)
    add = parser.add_argument
    add("clip", nargs="?", type=named, help="an mp4, gif or webm, or a folder of pictures")
    add("prompt", nargs="?", type=prompt, help="what the clip shows")
    add("--weights", type=named, help="folder, .safetensors or hub id (default: the miniature)")
    add("--frames", type=number(int, 1, 100_000), help="how many frames to tune on")
    add("--start", type=number(int, 0), help="the first frame (default 0)")
    add("--stride", type=number(int, 1), help="take every K-th frame")
    add("--size", type=size, metavar="PX|WxH", help="in pixels: a square's side, or as in 512x320")
    add("--stretch", action="store_true", help="squeeze to that size instead of cropping")
    add("--steps", type=number(int, 1), help="tuning steps in all")
    add("--lr", type=number(float, 0, 1), help="learning rate")
    add("--seed", type=SEED, help="seed of every random draw (default 0)")
    add("--preview", type=number(int, 1), metavar="K", help="every K steps, an edit in previews/")
    add("--preview-prompt", type=prompt, metavar="TEXT", help="of that edit (default: an example)")
    add("--device", type=named, help=DEVICE)
    dtype = "default: fp16 on cuda, and for large weights on a CPU with bf16 that; else fp32"
    add("--dtype", choices=PRECISIONS, help=dtype)
    add("--memory", choices=("low", "auto", "fast"), help="low keeps little and computes more")
    add("--out", type=named, help="run folder (default: a new one in runs/)")
    add("--resume", action="store_true", help="continue the run in --out, or else the newest")
    return parser


def sample_parser(about: str | None = None) -> Parser:
    """What sample.py can be told."""
    parser = Parser(description=about)
    add = parser.add_argument
    add("prompts", nargs="*", type=prompt, help="one video each (default: the weights' examples)")
    add("--run", type=named, help="run folder (default: the newest in runs/)")
    add("--weights", type=named, help="where the run's weights are now, if they moved")
    add("--steps", type=number(int, 1, 999), help="DDIM steps (published: 50), best dividing 1000")
    add("--guidance", type=number(float, 0), help="classifier-free (published: 12.5; none: 1)")
    add("--negative", type=text, help="what the videos should not show")
    add("--difference", action="store_true", help="beyond the paper: edit without inversion")
    caption = "invert with the caption (published: with no words)"
    add("--invert-caption", action=BooleanOptionalAction, help=caption)
    add("--no-inversion", action="store_true", help="start from random noise, not the clip's own")
    add("--score", action="store_true", help="print what CLIP says of frames and prompts")
    add("--clip", type=named, help="folder of that CLIP (default: the one beside the weights)")
    add("--seed", type=SEED, help="seed of the random noise (default 0)")
    add("--device", type=named, help=DEVICE)
    dtype = "default: as tuned on this kind of device, else as by tune.py"
    add("--dtype", choices=PRECISIONS, help=dtype)
    return parser


def own_settings(file: Path, values: dict) -> dict:
    """What a tav.json says; UserError names the first setting that no command could use."""
    advice = "mend it, or delete the file"
    if not is_of(text, values.get("note", "")):
        raise UserError(f"{file}: its note is no text; {advice}")
    for command, parser in {"tune": tune_parser(), "sample": sample_parser()}.items():
        parser.check(file, values.get(command, {}), advice)
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

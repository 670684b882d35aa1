"""What a person at the keyboard reads while a command works or cannot go on (lesson 00)."""

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from tqdm import tqdm


class UserError(Exception):
    """A mistake the user can mend, in the form "what is wrong; what to do"."""


@contextmanager
def advising(kind: type[Exception], advice: str) -> Iterator[None]:
    """Within, an error of this kind is the user's to mend, and its message ends with the advice.

    The method in tav/ says only what is wrong; which option mends it, the commands know.
    """
    try:
        yield
    except kind as error:
        raise UserError(f"{error}; {advice}") from None


class Parser(argparse.ArgumentParser):
    """Answers a wrong command line with one line, not with its whole usage; has no values for what
    was not given."""

    def __init__(self, **options):
        super().__init__(argument_default=argparse.SUPPRESS, **options)

    def error(self, message: str) -> None:
        raise UserError(f"{message}; see --help")


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


def bar(label: str, unit: str = "step") -> Callable[..., tqdm]:
    """A progress bar to put around a loop, shown once that takes over two seconds; of many
    processes, the first's."""
    return partial(tqdm, desc=label, unit=unit, delay=2, disable=os.environ.get("RANK", "0") != "0")


def ctrl_c_waits() -> list[bool]:
    """From here on Ctrl-C only puts True into this list, for a loop to stop where it suits; a
    second one cuts."""
    asked = []

    def ask(*_) -> None:
        asked.append(True)
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
    # Only here has the error let go of its progress bar, which ends its line.
    print(" ".join(message.split()), file=sys.stderr)
    sys.exit(status)

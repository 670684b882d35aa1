"""What a person at the keyboard reads when a command cannot go on: one line, never a traceback.

A bug is not a user's mistake: whatever is not a `UserError` keeps its traceback.
"""

import argparse
import math
import sys
import warnings
from collections.abc import Callable
from typing import NoReturn


class UserError(Exception):
    """A mistake the user can mend, in the form "what is wrong; what to do"."""


def fail(message: str, status: int = 2) -> NoReturn:
    """Print `message` as exactly one line on stderr and exit with `status`; 2 is the shell's usage error."""
    print(" ".join(message.split()), file=sys.stderr)
    sys.exit(status)


class Parser(argparse.ArgumentParser):
    """An argument parser that answers a wrong command line with one line, not with its whole usage."""

    def error(self, message: str) -> NoReturn:
        fail(f"error: {message}; see --help")


def number(kind: type, least: float, most: float = math.inf) -> Callable[[str], float]:
    """The `type` of an argument that is a finite int or float from `least` to `most`."""

    def parse(text: str) -> float:
        value = kind(text)
        if not least <= value <= most or value == math.inf:  # nan is not in between either
            limit = f"{least} or more" if most == math.inf else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"{text} is not {limit}")
        return value

    parse.__name__ = kind.__name__  # argparse: "invalid int value"
    return parse


def run(main: Callable[[], None]) -> None:
    """Call `main()`: a UserError exits with status 2, Ctrl-C with 130 (128 + SIGINT), a bug as Python does.

    A warning, such as of a prompt that is too long, is one line as well.
    """
    warnings.formatwarning = lambda message, *_: f"warning: {message}\n"
    try:
        main()
    except UserError as error:
        fail(f"error: {error}")
    except KeyboardInterrupt as error:
        fail(f"stopped by Ctrl-C{error}", status=130)

"""What a person at the keyboard reads when a command cannot go on: one line, never a traceback.

A bug is not a user's mistake: whatever is not a `UserError` keeps its traceback.
"""

import argparse
import sys
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


def run(main: Callable[[], None]) -> None:
    """Call `main()`: a UserError exits with status 2, Ctrl-C with 130 (128 + SIGINT), a bug as Python does."""
    try:
        main()
    except UserError as error:
        fail(f"error: {error}")
    except KeyboardInterrupt:
        fail("stopped by Ctrl-C", status=130)

"""The scripts' last words, as the shell sees them: stderr, stdout and the exit status of a real
process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

IO = Path(__file__).parent.parent / "tav" / "io"


def script(body: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run `body` with tav/io/cli.py imported by itself, which spares the import of torch."""
    code = f"import os, signal, sys, time\nfrom cli import Parser, UserError, advising, run\n{body}"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": str(IO)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "message",
    ["clip.mp4: no such file; check the spelling", "two\nlines;\n\n  see --help", "%s {}"],
)
def test_a_user_error_is_one_line_and_status_2(message):
    done = script(f"def main():\n    raise UserError({message!r})\nrun(main)")
    assert done.returncode == 2
    assert done.stderr == f"error: {' '.join(message.split())}\n"
    assert done.stdout == ""


def test_a_user_error_raised_from_another_error_shows_only_itself():
    done = script(
        "def main():\n"
        "    try:\n        open('/nowhere/at/all')\n"
        "    except OSError as error:\n        raise UserError('gone; look elsewhere') from error\n"
        "run(main)"
    )
    assert (done.returncode, done.stderr) == (2, "error: gone; look elsewhere\n")


def test_what_is_wrong_gets_the_advice_of_the_command_unless_it_is_of_another_kind():
    body = "def main():\n    with advising(LookupError, 'look elsewhere'):\n"
    body += "        raise {}('it is gone')\n"
    body += "run(main)"
    done = script(body.format("LookupError"))
    assert (done.returncode, done.stderr) == (2, "error: it is gone; look elsewhere\n")
    done = script(body.format("ValueError"))
    assert done.returncode == 1 and done.stderr.endswith("\nValueError: it is gone\n")


def test_ctrl_c_is_one_line_and_status_130():
    # a shell's background jobs ignore it
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    done = script(
        heard
        + "def main():\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(10)\nrun(main)"
    )
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr == "stopped by Ctrl-C\n"


def test_a_bug_keeps_its_traceback():
    done = script("def main():\n    {}['a key']\nrun(main)")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.endswith("KeyError: 'a key'\n")


def test_success_is_silent_and_an_exit_status_passes_through():
    assert script("run(lambda: print('done'))").stdout == "done\n"
    assert script("run(lambda: print('done'))").returncode == 0
    assert script("run(lambda: sys.exit(7))").returncode == 7


PARSER = (
    "def main():\n    parser = Parser(prog='tune.py')\n    parser.add_argument('clip')\n"
    "    parser.add_argument('--steps', type=int)\n    print(parser.parse_args().steps)\n"
)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "the following arguments are required: clip"),
        (["a.mp4", "--steps", "many"], "argument --steps: invalid int value: 'many'"),
        (["a.mp4", "--stops", "3"], "unrecognized arguments: --stops 3"),
    ],
)
def test_a_wrong_command_line_is_one_line_too(arguments, words):
    done = script(PARSER + "run(main)", *arguments)
    assert (done.returncode, done.stderr, done.stdout) == (2, f"error: {words}; see --help\n", "")


def test_a_right_command_line_and_help_still_work():
    assert script(PARSER + "run(main)", "a.mp4", "--steps", "3").stdout == "3\n"
    done = script(PARSER + "run(main)", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: tune.py")

"""Narrow, wide and dumb terminals, and files."""

import io
import os
import pty
import struct
import subprocess
import sys
import termios
from fcntl import ioctl

import pytest
from rich.console import Console

from frostline.sweeps.terminal import print_prose

SENTENCE = "WARNING: a model may learn that instead of the subject: test on photos from elsewhere."


def printed(*, terminal: bool) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=30, force_terminal=terminal, color_system=None)
    print_prose(console, SENTENCE)
    return file.getvalue().splitlines()


def test_prose_is_broken_between_words_on_a_terminal_alone() -> None:
    assert printed(terminal=False) == [SENTENCE]
    lines = printed(terminal=True)
    assert len(lines) > 2 and max(map(len, lines)) <= 30
    assert " ".join(line.strip() for line in lines) == SENTENCE


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_terminal_is_as_wide_as_it_is(term: str) -> None:
    code = (
        "from frostline.sweeps.terminal import has_live_line, output_console\n"
        "import sys\n"
        "console = output_console()\n"
        "print(console.width, has_live_line(console), file=sys.stderr)"
    )
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES"}}
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "TERM": term},
        check=True,
    )
    os.close(ours)
    os.close(theirs)
    assert done.stderr.split() == ["200", str(term == "xterm")]


@pytest.mark.parametrize("claim", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_a_log_of_which_a_service_claims_that_it_is_a_terminal_gets_whole_lines(claim: str) -> None:
    code = (
        "from frostline.data.progress_bar import _is_lively\n"
        "from frostline.sweeps.terminal import has_live_line, output_console\n"
        "console = output_console()\n"
        "print(console.width, has_live_line(console), _is_lively())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "TERM": "xterm-color", claim: "1", "COLUMNS": "70"},
        check=True,
    )
    assert done.stdout.split() == ["140", "False", "False"]

"""Progress goes to the error stream, and leaves the output alone."""

import os
import pty
import subprocess
import sys

import pytest

from frostline.data import progress_bar

_ROWS = """
import time
from frostline.data import progress_bar
progress_bar.SILENT_S = 0.0
with progress_bar.show_progress("images", 400) as advance:
    for number in range(400):
        print(f"row{number}")
        advance(1)
        if number == 200:
            time.sleep(0.3)  # the bar is drawn ten times a second
"""


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_rows_reach_the_pipe_while_a_bar_is_on_the_terminal(term: str) -> None:
    """Live displays of rich take over standard output unless that is switched off."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": term}
    done = subprocess.run(
        [sys.executable, "-c", _ROWS],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env=environment,
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.stdout.splitlines() == [f"row{number}" for number in range(400)]
    assert "images" in shown and "row" not in shown
    assert ("\x1b[" in shown) is (term == "xterm")


def test_a_line_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 0.5, 2.0, 3.0, 14.0, 15.0])
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: next(clock))
    with progress_bar.show_progress("images", 1000) as advance:
        for steps in (100, 100, 100, 100, 600):
            advance(steps)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "images: 200 of 1,000, about 12 s left",
        "images: 400 of 1,000, about 27 s left",
    ]


def test_what_came_before_the_first_step_is_no_part_of_its_pace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 4.0, 15.0])
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: next(clock))
    with progress_bar.show_progress("images", 62_000) as advance:
        for steps in (1, 40_000):
            advance(steps)
    assert capsys.readouterr().err.splitlines() == [
        "images: 1 of 62,000",
        "images: 40,001 of 62,000, about 6 s left",
    ]

"""How lines are printed on a terminal and in a file.

Prose is broken between words where a terminal is too narrow. Commands and paths are not: they stay
one line, which can be copied.
"""

import os
import sys
import textwrap
from contextlib import suppress
from typing import IO

from rich.cells import cell_len
from rich.console import Console

PLAIN_WIDTH = 140


def output_console(file: IO[str] | None = None) -> Console:
    """Where results go: as wide as the terminal, or as wide as needed in a file."""
    stream = file or sys.stdout
    console = Console(file=file, highlight=False, soft_wrap=True)
    if not console.is_terminal or not is_drawn_on(console):
        return Console(file=file, highlight=False, soft_wrap=True, width=PLAIN_WIDTH)
    if console.is_dumb_terminal:  # rich takes 80 columns for one, whatever it has
        with suppress(OSError, ValueError):
            width, height = os.get_terminal_size(stream.fileno())
            if width and height:
                return Console(
                    file=file, highlight=False, soft_wrap=True, width=width, height=height
                )
    return console


def has_live_line(console: Console) -> bool:
    """Whether a line can be drawn over itself: on a terminal, not where one is only claimed.

    `FORCE_COLOR`, which CI services set, asks for colours, and a log keeps every redrawn line.
    """
    return console.is_terminal and not console.is_dumb_terminal and is_drawn_on(console)


def is_drawn_on(console: Console) -> bool:
    """Whether what a console writes goes to a terminal itself."""
    try:
        return console.file.isatty()
    except (AttributeError, ValueError):  # a stream that is closed
        return False


def print_prose(console: Console, text: str) -> None:
    """Print sentences, broken between words where they are too long for a terminal."""
    for line in text.splitlines():
        lines = [line]
        if console.is_terminal and cell_len(line) > console.width:
            indent = " " * (len(line) - len(line.lstrip()))
            lines = textwrap.wrap(
                line.lstrip(),
                console.width,
                initial_indent=indent,
                subsequent_indent=indent + "  ",
                break_long_words=False,  # such as a path
                break_on_hyphens=False,
            )
        for each in lines:
            console.print(each, markup=False, soft_wrap=True)

"""The commands that the documents show, taken out of their text."""

import re
import shlex
from itertools import chain
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    chain(
        ROOT.glob("*.md"), ROOT.glob("docs/*.md"), ROOT.glob("experiments/*.md"),
        ROOT.glob("benchmarks/*.md"),
    )
)  # fmt: skip
# In backticks a command may run over the end of a line; in a block a backslash says so.
_QUOTED = re.compile(r"`((?:python -m|make) [^`]*)`")
_BLOCK = re.compile(r"^(?: {4}|\$ )?((?:python -m|make) .*(?:\\\n.*)*)", re.MULTILINE)


class Command(NamedTuple):
    """A command and the page that shows it."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def commands_of(page: Path) -> list[Command]:
    """All commands on a page, in their order, each once; a comment behind one is left out."""
    text = page.read_text(encoding="utf-8")
    found = [(m.start(), m.group(1)) for m in _QUOTED.finditer(text)]
    found += [
        (m.start(1), m.group(1)) for m in _BLOCK.finditer(text) if text[m.start(1) - 1] != "`"
    ]
    commands = []
    for _, line in sorted(found):
        plain = re.sub(r"\$\([^)]*\)", "0", line.replace("\\\n", " "))
        words = shlex.split(plain, comments=True)
        if "..." not in words:  # "python -m src.train ...": a manner of speaking
            commands.append(Command(page.relative_to(ROOT).as_posix(), tuple(words)))
    return list(dict.fromkeys(commands))


def documented() -> list[Command]:
    """The commands of all pages."""
    return [command for page in PAGES for command in commands_of(page)]

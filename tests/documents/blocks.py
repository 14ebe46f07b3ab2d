"""The code blocks of the documents: what they hold and where they stand."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "experiments/README.md",
    *sorted((ROOT / "docs").glob("*.md")),
)
_FENCE = "```"
_INDENT = "    "
_LIST_ITEM = re.compile(r"\s*([-*]|\d+\.) ")


class Block(NamedTuple):
    """A block of code and its place."""

    page: str
    line: int
    text: str

    @property
    def first(self) -> str:
        """The first line, by which a block is known on its page."""
        return self.text.splitlines()[0].strip()

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.first[:40]}"

    def commands(self) -> list[list[str]]:
        """The lines as words of a shell: a backslash joins two, a comment is left out."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page in their order: between fences, or indented after an empty line."""
    name = page.relative_to(ROOT).as_posix()
    return [Block(name, line, text) for line, text in _found(page.read_text(encoding="utf-8"))]


def _found(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line number and the text of each block."""
    lines = [*text.splitlines(), ""]
    number, in_list = 0, False
    while number < len(lines):
        line, start = lines[number], number
        if line.startswith(_FENCE):
            number = lines.index(_FENCE, number + 1)
            yield start + 1, "\n".join(lines[start + 1 : number])
        elif line.startswith(_INDENT) and not lines[number - 1].strip() and not in_list:
            while lines[number].startswith(_INDENT) or (
                not lines[number].strip() and lines[number + 1 : number + 2] != []
                and lines[number + 1].startswith(_INDENT)
            ):  # fmt: skip
                number += 1
            yield start + 1, "\n".join(part[len(_INDENT) :] for part in lines[start:number])
        elif line.strip():
            # A paragraph that is indented below a list's item belongs to that item.
            in_list = bool(_LIST_ITEM.match(line)) or (in_list and line.startswith(" "))
        number += 1


def documented_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [block for page in PAGES for block in blocks_of(page)]

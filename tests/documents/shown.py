"""What a page shows of a command's output against what the command prints: all but the figures."""

import re
from itertools import takewhile

# What differs from run to run: figures, durations, sizes, shares.
_FIGURE = re.compile(r"[-−]?\d[\d.,:]*(?:e[-+]?\d+)?(?: ?(?:%|s|min|h|[KMG]iB)(?!\w))?")
_RULE = re.compile(r"─[─ ]*")
_LEFT_OUT = "..."


def first_difference(shown: str, printed: str) -> str | None:
    """Look for what a page shows in what was printed.

    `...` stands for anything between. Lines may be broken elsewhere. The rows of figures below a
    rule may stand in another order, as other figures order them, and be more or fewer.

    Args:
        shown: The block of the page.
        printed: All that the command printed.

    Returns:
        The first part that was not printed, without its figures; None if all of it was.
    """
    rest = masked(printed)
    for part in filter(None, map(str.strip, masked(shown).split(_LEFT_OUT))):
        _, found, rest = rest.partition(part)
        if not found:
            return part
    return None


def masked(text: str) -> str:
    """A text in one line, without its figures and what its layout owes to their width."""
    plain = (_FIGURE.sub("#", _RULE.sub("─", line)) for line in text.splitlines())
    lines = [" ".join(line.split()) for line in plain]
    return " ".join(" ".join(_rows_sorted(lines)).split())


def _rows_sorted(lines: list[str]) -> list[str]:
    """The lines; of the rows of figures that follow a rule, each kind once, in its own order."""
    if "─" not in lines:
        return lines
    rule = lines.index("─") + 1
    rows = list(takewhile(lambda line: "#" in line, lines[rule:]))
    return [*lines[:rule], *sorted(set(rows)), *_rows_sorted(lines[rule + len(rows) :])]

"""Tables in docs that a command writes, between two comments that name it."""

from collections.abc import Sequence
from pathlib import Path

REPORT = Path(__file__).parents[1] / "docs" / "report.md"


def write_between(name: str, lines: Sequence[str], page: Path = REPORT) -> None:
    """Replace what stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`.

    Raises:
        ValueError: If the page does not have both, in this order.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = page.read_text()
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"{page}: it has no {begin} followed by {end}")
    body = "\n".join(lines)
    page.write_text(f"{before}{begin}\n{body}\n{end}{after}")

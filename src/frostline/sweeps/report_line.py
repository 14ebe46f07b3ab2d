"""The report of a sweep in the terminal: its headline, and where the page is."""

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from frostline.sweeps.terminal import print_prose
from frostline.tracking.address import Address
from frostline.tracking.quick_look import artifact_of
from frostline.tracking.records import RunRecord
from frostline.tracking.report_mark import PAGE_ARTIFACT, is_marked

_VERDICT = "verdict.json"


def whole_report(address: Address, sweep: RunRecord, run_ids: Iterable[str]) -> Path | None:
    """The page of a sweep's report that is about just these runs; None if there is none here.

    Args:
        address: Of the store.
        sweep: The sweep's run.
        run_ids: The runs of its jobs.
    """
    return artifact_of(address, sweep, PAGE_ARTIFACT) if is_marked(sweep.tags, run_ids) else None


def report_lines(page: Path, first: str) -> list[str]:
    """What a report that was written before concluded, and where its page is.

    Args:
        page: The page.
        first: The run that the printed table begins with.
    """
    lines: list[str] = []
    with suppress(OSError, ValueError, KeyError, TypeError):
        verdict = json.loads((page.parent / _VERDICT).read_text(encoding="utf-8"))
        lines.append(str(verdict["headline"]))
        lines += [verdict["why_not_first"][first]] * (first in verdict.get("why_not_first", {}))
    return [*lines, place_line(page)]


def place_line(page: Path) -> str:
    """Where the page of a report is."""
    return f"report with intervals and the verdict:  {os.path.relpath(page)}"


def show_lines(output: Console, lines: Sequence[str]) -> None:
    """Print what a report concluded, and last, in one piece, where it is."""
    for line in lines[:-1]:
        print_prose(output, line)
    output.print(lines[-1], markup=False)

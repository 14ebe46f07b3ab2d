"""README's table: how many times faster whole sweeps are, from the JSON of the full table."""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.sizes import Size
from experiments.tools.markers import fill

README = Path(__file__).resolve().parents[1] / "README.md"
BETWEEN = ("<!-- savings: python -m benchmarks.run -->", "<!-- end of savings -->")


def write_savings(results: Mapping[str, Any]) -> None:
    """Put the table into README."""
    fill(README, BETWEEN, savings(results), what="the table of savings")


def savings(results: Mapping[str, Any]) -> str:
    """A row a sweep, a column a size: times faster than P0 (against P1), and the seconds."""
    rows = [row for row in results["rows"] if row["precision"] == "32-true"]
    sizes = sorted({Size(row["images"], row["epochs"]) for row in rows}, key=lambda s: s.images)
    by_place = {(row["workload"], Size(row["images"], row["epochs"])): row for row in rows}
    lines = [
        "| sweep | " + " | ".join(f"{s.images:,} images, {s.epochs} epochs" for s in sizes) + " |",
        "|---" * (1 + len(sizes)) + "|",
    ]
    for workload, title in {row["workload"]: row["title"] for row in rows}.items():
        shown = [_shown(by_place.get((workload, size))) for size in sizes]
        lines.append(f"| {title} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _shown(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    seconds = row["seconds"]
    against_p0, against_p1 = (
        statistics.median(a / b for a, b in zip(seconds[name], seconds["cold"], strict=True))
        for name in ("P0", "P1")
    )
    usual, ours = (_seconds(statistics.median(seconds[name])) for name in ("P0", "cold"))
    return f"**{against_p0:.1f}x** ({against_p1:.1f}x), {usual} to {ours} s"


def _seconds(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"

"""The tables of fixed costs: a row a part, a column a kind of job or sweep."""

from typing import Any

from benchmarks.fixed_clock import REST
from benchmarks.fixed_jobs import SHAPES, TOTAL
from benchmarks.fixed_once import COLD, COMMANDS, SWEEP, WARM
from benchmarks.fixed_parts import JOB, TRAINING
from benchmarks.fixed_parts import SWEEP as SWEEP_PARTS
from benchmarks.fixed_sweeps import WHOLE

BESIDE = "beside the training"


def sections_of(results: dict[str, Any]) -> dict[str, list[str]]:
    """Of what was measured, `jobs`, `sweeps` and `commands`, a table as Markdown."""
    versions = results["versions"]
    against = f", `{results['before'][:7]}` against now, in turn" if results["before"] else ""
    head = (
        f"Machine: `{results['machine']}`, 150 images of 96 px, two epochs{against}; "
        f"{results['rounds']} round(s) of {results['jobs']} jobs, medians. "
        "Milliseconds of the processor, on the wall in brackets"
        + ("; before -> now." if len(versions) > 1 else ".")
    )
    with_sums = {
        version: {column: _with_sum(parts) for column, parts in columns.items()}
        for version, columns in versions.items()
    }
    sections = {}
    for name, title, columns, rows in (
        ("jobs", "part of a job", [s.name for s in SHAPES], [BESIDE, *JOB, REST, TOTAL]),
        ("sweeps", "part of a sweep", [SWEEP, COLD, WARM], [*SWEEP_PARTS, REST, WHOLE]),
        ("commands", "command", [COMMANDS], list(versions["after"].get(COMMANDS, {}))),
    ):
        there = [column for column in columns if column in versions["after"]]
        if there:
            sections[name] = [head, "", *_table(title, there, rows, with_sums)]
    return sections


def _with_sum(parts: dict[str, list[float]]) -> dict[str, list[float]]:
    if TOTAL not in parts:
        return parts
    training = parts.get(TRAINING, [0.0, 0.0])
    beside = [whole - part for whole, part in zip(parts[TOTAL], training, strict=True)]
    return {BESIDE: beside, **parts}


def _table(title: str, columns: list[str], rows: list[str], versions: dict[str, Any]) -> list[str]:
    lines = [f"| {title} | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for row in rows:
        cells = [
            " -> ".join(_cell(found[column].get(row)) for found in versions.values())
            for column in columns
        ]
        bold = "**" if row in {BESIDE, TOTAL, WHOLE} else ""
        lines.append(f"| {bold}{row}{bold} | {' | '.join(cells)} |")
    return lines


def _cell(times: list[float] | None) -> str:
    if times is None:
        return "-"
    wall, processor = times
    return f"{processor:,.0f} ({wall:,.0f})"

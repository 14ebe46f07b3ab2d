"""The tables of results in benchmarks/README.md, generated from the JSON beside it."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.jobs import GOALS, TINY_GOALS_MS, Goal
from benchmarks.sizes import Size
from experiments.tools.markers import fill

BETWEEN = ("<!-- results: begin -->", "<!-- results: end -->")
KINDS = {
    "isolated": "each in a fresh process (`hydra.launcher.jobs_per_process=1`)",
    "in_turn": "in turn in one process (the default)",
    "batched": "trained as one batch",
}
_BUSY = 0.15  # of all cores: then a figure is marked


def write_table(out: Path, results: Mapping[str, Any]) -> None:
    """Put the newest results between the marks, and leave the rest of the page alone."""
    page = out / "README.md"
    if not page.exists():
        page.write_text("\n".join(BETWEEN) + "\n")
    fill(page, BETWEEN, rendered(results), what="the results")


def rendered(results: Mapping[str, Any]) -> str:
    """All of it as Markdown."""
    lines = [
        f"Machine: `{results['machine']}`, {results['threads']} threads, torch "
        f"{results['torch']}. Medians of rounds in which the systems took turns, (least-most). "
        "**Bold**: the goal is met. Size: images x epochs."
        + (" **Tiny nets, to try the code: no result.**" if results["tiny"] else ""),
    ]
    for precision in dict.fromkeys(row["precision"] for row in results["rows"]):
        rows = [row for row in results["rows"] if row["precision"] == precision]
        lines += ["", *_of_precision(precision, rows, results["device"])]
    if "W6" in results:
        lines += ["", *_tiny_jobs(results["W6"])]
    return "\n".join(lines)


def _of_precision(precision: str, rows: Sequence[Mapping[str, Any]], device: str) -> list[str]:
    said = (
        "All systems in float32, P1 in the memory layout that its probe finds fastest, Frostline "
        "with channels last:"
        if precision == "32-true"
        else "P1 and Frostline each in the precision and memory layout that a probe finds fastest:"
    )
    return [
        said,
        "",
        "| sweep | size | P0 | P1 | Frostline, cold store | against P0 | against P1 | goals | "
        "share of the bound | warm store | against P0 | against P1 |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
        *(_seconds(row, _goal(row, device)) for row in rows),
        "",
        "Test accuracy in points, mean over a sweep's jobs; memory in MiB, the largest process; "
        "and how it was measured. *Others*: the share of the machine that other programs used just "
        "before a round, in the worst one.",
        "",
        "| sweep | size | accuracy P0 | P1 | Frostline | largest gap to P1 in one job | "
        "memory P0 / P1 / Frostline | rounds | others | measured |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *map(_circumstances, rows),
    ]


def _goal(row: Mapping[str, Any], device: str) -> Goal:
    size = Size(row["images"], row["epochs"])
    return GOALS.get((device, size.key), {}).get(row["workload"], Goal(None, None))


def _seconds(row: Mapping[str, Any], goal: Goal) -> str:
    seconds = row["seconds"]
    share = row["bound_s"] / statistics.median(seconds["cold"])
    goals = [
        "-" if wanted is None else f"{wanted:g}x"
        for wanted in (goal.p0, goal.p1)
    ]  # fmt: skip
    shown = " / ".join(goals) if goal.p0 or goal.p1 else ""
    if goal.bound:
        shown += (", " if shown else "") + f"{goal.bound:.0%} of the bound"
    cells = [
        f"{row['workload']}: {row['title']}",
        Size(row["images"], row["epochs"]).text,
        *(_spread(seconds[system]) for system in ("P0", "P1", "cold")),
        _ratio(seconds["P0"], seconds["cold"], goal.p0),
        _ratio(seconds["P1"], seconds["cold"], goal.p1),
        shown or "-",
        _marked(f"{share:.0%}", goal.bound is not None and share >= goal.bound),
        _spread(seconds["warm"]),
        _ratio(seconds["P0"], seconds["warm"], None),
        _ratio(seconds["P1"], seconds["warm"], None),
    ]
    return f"| {' | '.join(cells)} |"


def _circumstances(row: Mapping[str, Any]) -> str:
    found, peak = row["test_acc"], row["peak_mib"]
    gap = max(abs(a - b) for a, b in zip(found["P1"], found["cold"], strict=True))
    others = max(row["others_frac"])
    cells = [
        row["workload"],
        Size(row["images"], row["epochs"]).text,
        *(f"{100 * statistics.mean(found[system]):.1f}" for system in ("P0", "P1", "cold")),
        f"{100 * gap:.1f}",
        " / ".join(f"{max(peak[system]):.0f}" for system in ("P0", "P1", "cold")),
        str(row["rounds"]),
        f"{others:.0%}" + (" (busy: times too long)" if others > _BUSY else ""),
        f"{row['date']}, `{row['commit']}`",
    ]
    return f"| {' | '.join(cells)} |"


def _tiny_jobs(tiny: Mapping[str, Any]) -> list[str]:
    lines = [
        f"W6, tiny jobs in one sweep, over their training loops ({tiny['date']}, "
        f"`{tiny['commit']}`):",
        "",
        "| jobs | ms a job beyond its loop | goal | ms a job with its training |",
        "|---|---|---|---|",
    ]
    for name, kind in KINDS.items():
        whole = 1e3 * tiny[f"{name}_s_per_job"]
        over = whole - 1e3 * tiny[f"{name}_loop_s_per_job"]
        goal = TINY_GOALS_MS[name]
        lines.append(
            f"| {tiny[f'{name}_jobs']}, {kind} | {_marked(f'{over:.0f}', over <= goal)} | "
            f"{goal:g} | {whole:.0f} |"
        )
    step, goal = tiny["step"], TINY_GOALS_MS["step"]
    over = _marked(f"{step['over_ms']:.2f}", step["over_ms"] <= goal)
    return [
        *lines,
        "",
        f"A training step costs {over} ms beyond a raw loop of {step['raw_ms']:.2f} ms (goal "
        f"{goal:g} ms; CPU time of one thread).",
    ]


def _marked(text: str, met: bool) -> str:
    return f"**{text}**" if met else text


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} s ({min(values):.1f}-{max(values):.1f})"


def _ratio(theirs: Sequence[float], ours: Sequence[float], goal: float | None) -> str:
    each = [a / b for a, b in zip(theirs, ours, strict=True)]
    middle = statistics.median(each)
    text = _marked(f"{middle:.1f}x", goal is not None and middle >= goal)
    return f"{text} ({min(each):.1f}-{max(each):.1f})"

"""The table of results in benchmarks/README.md, generated from the JSON beside it."""

import statistics
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def write_table(out: Path, results: dict[str, Any]) -> None:
    """Put the newest results between the marks, and leave the rest of the page alone."""
    page = out / "README.md"
    text = page.read_text() if page.exists() else f"{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{rendered(results)}\n{END}{after}")


def rendered(results: dict[str, Any]) -> str:
    """All of it as Markdown."""
    lines = [
        f"Machine: `{results['machine']}`, {results['threads']} threads, torch {results['torch']}; "
        f"{results['images']} images; {results['rounds']} rounds, the systems in turn; "
        f"the whole call took {results.get('whole_s', 0) / 60:.0f} minutes."
        + (" **Tiny nets, to try the code: no result.**" if results["tiny"] else ""),
        "",
    ]
    if results["sweeps"]:
        lines += [
            "| sweep | P0 | P1 | Frostline, cold store | warm store | against P0 | against P1 "
            "| goals | share of the bound | peak MiB P0 / P1 / ours |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
    for name, sweep in results["sweeps"].items():
        lines.append(_row(name, sweep, "cold", "warm"))
        fastest = f"{name} with trainer.precision=fastest"
        lines.append(_row(fastest, sweep, "fastest cold", "fastest warm"))
        if "group cold" in sweep["seconds"]:
            lines.append(_row(f"{name} as one batch", sweep, "group cold", "group warm"))
    if results["sweeps"]:
        lines += ["", "Mean test accuracy over a sweep's jobs, in points:", ""]
        lines += [
            "| sweep | P0 | P1 | Frostline | largest gap to P1 in one job |",
            "|---|---|---|---|---|",
        ]
    for name, sweep in results["sweeps"].items():
        mean = {system: 100 * statistics.mean(v) for system, v in sweep["test_acc"].items()}
        gap = max(
            abs(a - b)
            for a, b in zip(sweep["test_acc"]["P1"], sweep["test_acc"]["cold"], strict=True)
        )
        shown = " | ".join(f"{mean[system]:.1f}" for system in ("P0", "P1", "cold"))
        lines.append(f"| {name} | {shown} | {100 * gap:.1f} |")
    if "W6" in results:
        tiny = results["W6"]
        lines += [
            "",
            f"W6, {tiny['jobs']} tiny jobs, over their training: "
            f"{tiny['isolated_s_per_job']:.2f} s a job isolated in a process (goal 1 s), "
            f"{tiny['batched_ms_per_job']:.0f} ms a job as one batch (goal 50 ms). "
            f"A step costs {tiny['step']['over_ms']:.2f} ms over a raw loop of "
            f"{tiny['step']['raw_ms']:.2f} ms (goal 0.4 ms; CPU time of one thread).",
        ]
    return "\n".join(lines)


def _row(name: str, sweep: dict[str, Any], cold: str, warm: str) -> str:
    seconds = sweep["seconds"]
    ours = statistics.median(seconds[cold])
    peak = sweep["peak_mib"]
    goals = sweep["goals"]
    return (
        f"| {name}: {sweep['title']} | {_spread(seconds['P0'])} | {_spread(seconds['P1'])} "
        f"| {_spread(seconds[cold])} | {_spread(seconds[warm])} "
        f"| {_ratio(seconds['P0'], seconds[cold])} | {_ratio(seconds['P1'], seconds[cold])} "
        f"| {goals['P0']:g}x / {goals['P1']:g}x | {sweep['bound_s'] / ours:.0%} "
        f"| {peak['P0']:.0f} / {peak['P1']:.0f} / {peak[cold]:.0f} |"
    )


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} s ({min(values):.1f}-{max(values):.1f})"


def _ratio(theirs: list[float], ours: list[float]) -> str:
    each = [a / b for a, b in zip(theirs, ours, strict=True)]
    middle = statistics.median(each)
    return f"{middle:.1f}x ({min(each):.1f}-{max(each):.1f})"

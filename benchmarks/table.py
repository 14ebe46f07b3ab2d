"""The table of results in benchmarks/README.md, generated from the JSON beside it."""

import statistics
from pathlib import Path
from typing import Any

from experiments.tools.markers import fill

BETWEEN = ("<!-- results: begin -->", "<!-- results: end -->")


def write_table(out: Path, results: dict[str, Any]) -> None:
    """Put the newest results between the marks, and leave the rest of the page alone."""
    page = out / "README.md"
    if not page.exists():
        page.write_text("\n".join(BETWEEN) + "\n")
    fill(page, BETWEEN, rendered(results), what="the results")


def rendered(results: dict[str, Any]) -> str:
    """All of it as Markdown."""
    precision = (
        "all systems in float32, P1 in the memory layout that its probe finds fastest, Frostline "
        "with channels last"
        if results["precision"] == "32-true"
        else "P1 and Frostline each in the precision and memory layout that a probe finds fastest"
    )
    lines = [
        f"Machine: `{results['machine']}`, {results['threads']} threads, torch {results['torch']}; "
        f"{results['images']} images; {precision}; {results['rounds']} round(s), the systems "
        f"in turn, medians and (least-most); the whole call took {results['whole_s'] / 60:.0f} "
        "minutes." + (" **Tiny nets, to try the code: no result.**" if results["tiny"] else ""),
        "",
    ]
    if results["sweeps"]:
        lines += [
            "| sweep | P0 | P1 | Frostline, cold store | against P0 | against P1 | "
            "goals | share of the bound | warm store | against P0 | against P1 | "
            "peak MiB P0 / P1 / ours |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
            *(_row(name, sweep) for name, sweep in results["sweeps"].items()),
            "",
            "Mean test accuracy over a sweep's jobs, in points:",
            "",
            "| sweep | P0 | P1 | Frostline | largest gap to P1 in one job |",
            "|---|---|---|---|---|",
            *(_accuracies(name, sweep) for name, sweep in results["sweeps"].items()),
        ]
    if "W6" in results:
        tiny = results["W6"]
        step = tiny["step"]
        lines += ["", "W6, tiny jobs in one sweep, over their training loops:", ""]
        for name, goal, kind in (
            ("isolated", "1 s", "each in a fresh process (`hydra.launcher.jobs_per_process=1`)"),
            ("in_turn", "1 s", "in turn in one process (the default)"),
            ("batched", "50 ms", "trained as one batch"),
        ):
            over = tiny[f"{name}_s_per_job"] - tiny[f"{name}_loop_s_per_job"]
            lines.append(
                f"- {tiny[f'{name}_jobs']} jobs, {kind}: {1e3 * over:.0f} ms a job "
                f"(goal {goal}); with its training "
                f"{1e3 * tiny[f'{name}_s_per_job']:.0f} ms"
            )
        lines.append(
            f"- a training step: {step['over_ms']:.2f} ms over a raw loop of "
            f"{step['raw_ms']:.2f} ms (goal 0.4 ms; CPU time of one thread)"
        )
    return "\n".join(lines)


def _row(name: str, sweep: dict[str, Any]) -> str:
    seconds, peak, goals = sweep["seconds"], sweep["peak_mib"], sweep["goals"]
    share = sweep["bound_s"] / statistics.median(seconds["cold"])
    cells = [
        f"{name}: {sweep['title']}",
        *(_spread(seconds[system]) for system in ("P0", "P1", "cold")),
        _ratio(seconds["P0"], seconds["cold"]),
        _ratio(seconds["P1"], seconds["cold"]),
        f"{goals['P0']:g}x / {goals['P1']:g}x",
        f"{share:.0%}",
        _spread(seconds["warm"]),
        _ratio(seconds["P0"], seconds["warm"]),
        _ratio(seconds["P1"], seconds["warm"]),
        " / ".join(f"{max(peak[system]):.0f}" for system in ("P0", "P1", "cold")),
    ]
    return f"| {' | '.join(cells)} |"


def _accuracies(name: str, sweep: dict[str, Any]) -> str:
    found = sweep["test_acc"]
    mean = " | ".join(
        f"{100 * statistics.mean(found[system]):.1f}" for system in ("P0", "P1", "cold")
    )
    gap = max(abs(a - b) for a, b in zip(found["P1"], found["cold"], strict=True))
    return f"| {name} | {mean} | {100 * gap:.1f} |"


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} s ({min(values):.1f}-{max(values):.1f})"


def _ratio(theirs: list[float], ours: list[float]) -> str:
    each = [a / b for a, b in zip(theirs, ours, strict=True)]
    middle = statistics.median(each)
    return f"{middle:.1f}x ({min(each):.1f}-{max(each):.1f})"

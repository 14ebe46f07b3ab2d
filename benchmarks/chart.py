"""One figure: how many times faster than P0 a sweep is, and how that grows with its size."""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.jobs import GOALS, Goal
from benchmarks.sizes import Size

SYSTEMS = {
    "P1": ("tuned loop (P1)", "#9aa5b1"),
    "cold": ("Frostline, first time", "#0b7285"),
    "warm": ("Frostline, outputs stored", "#3bc9db"),
}
_WIDTH = 0.27


def draw_chart(path: Path, results: Mapping[str, Any]) -> None:
    """A panel for each sweep, a group of bars for each of its sizes.

    Args:
        path: An SVG file.
        results: What `sweep_record` holds; of several precisions, float32 is drawn.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    precisions = {row["precision"] for row in results["rows"]}
    drawn = "32-true" if "32-true" in precisions else sorted(precisions)[0]
    rows = [row for row in results["rows"] if row["precision"] == drawn]
    names = list(dict.fromkeys(row["workload"] for row in rows))
    figure, panels = pyplot.subplots(
        1, len(names), figsize=(2.9 * len(names) + 0.6, 3.6), layout="constrained", squeeze=False
    )
    for axes, name in zip(panels[0], names, strict=True):
        _panel(axes, [row for row in rows if row["workload"] == name], results["device"])
    panels[0][0].set_ylabel("times faster than what people do (P0)")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=8.5, frameon=False)
    with pyplot.rc_context({"svg.hashsalt": "frostline"}):
        figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _panel(axes: Any, rows: list[Any], device: str) -> None:
    ticks = []
    highest = 1.0
    for group, row in enumerate(rows):
        size = Size(row["images"], row["epochs"])
        usual = statistics.median(row["seconds"]["P0"])
        ticks.append(f"{row['images']:,} images\n{row['epochs']} epochs\nP0: {usual:,.0f} s")
        for place, (system, (label, color)) in enumerate(SYSTEMS.items()):
            pairs = zip(row["seconds"]["P0"], row["seconds"][system], strict=True)
            ratio = statistics.median(theirs / ours for theirs, ours in pairs)
            at = group + (place - 1) * _WIDTH
            axes.bar(at, ratio, _WIDTH * 0.94, color=color, label=label if not group else None)
            # On white, in front of the line of a goal that is nearly met.
            around = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
            text = f"{ratio:.1f}"
            axes.text(at, ratio, text, ha="center", va="bottom", fontsize=8, bbox=around, zorder=5)
            highest = max(highest, ratio)
        goal = GOALS.get((device, size.key), {}).get(row["workload"], Goal(None, None))
        if goal.p0:
            axes.plot([group - 1.5 * _WIDTH, group + 1.5 * _WIDTH], [goal.p0] * 2, "k--", lw=1)
            highest = max(highest, goal.p0)
    axes.plot([], [], "k--", lw=1, label="goal")
    axes.axhline(1, color="#ced4da", lw=0.8, zorder=0)
    axes.set_title(_wrapped(f"{rows[0]['workload']}: {rows[0]['title']}"), fontsize=9)
    axes.set_xticks(range(len(rows)), ticks, fontsize=8)
    axes.set_xlim(-0.6, max(len(rows), 2) - 0.4)
    axes.set_ylim(0, 1.12 * highest)
    axes.tick_params(axis="x", length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, 30))

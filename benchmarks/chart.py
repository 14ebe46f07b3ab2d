"""One chart: seconds for a sweep, P0, P1 and Frostline."""

import statistics
from pathlib import Path
from typing import Any

SYSTEMS = {
    "P0": ("what people do (P0)", "#9aa5b1"),
    "P1": ("tuned loop (P1)", "#5b7083"),
    "cold": ("Frostline, first time", "#0b7285"),
    "warm": ("Frostline, outputs stored", "#3bc9db"),
}


def draw_chart(path: Path, results: dict[str, Any]) -> None:
    """Horizontal bars, a group for each sweep, on one axis of seconds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sweeps = results["sweeps"]
    figure, axes = pyplot.subplots(figsize=(8, 1.35 * len(sweeps) + 1.3), layout="constrained")
    ticks: list[float] = []
    notes: list[tuple[float, float, str]] = []
    largest = 0.0
    for group, sweep in enumerate(sweeps.values()):
        for place, (system, (label, color)) in enumerate(SYSTEMS.items()):
            seconds = statistics.median(sweep["seconds"][system])
            height = -(5 * group + place)
            bar = axes.barh(height, seconds, color=color, height=0.85)
            if group == 0:
                bar.set_label(label)
            ratio = statistics.median(sweep["seconds"]["P0"]) / seconds
            note = f"{seconds:.3g} s" + ("" if system == "P0" else f"   {ratio:.1f}x")
            notes.append((seconds, height, note))
            largest = max(largest, seconds)
        ticks.append(-(5 * group + 1.5))
    names = [f"{name}: {sweep['title']}" for name, sweep in sweeps.items()]
    axes.set_yticks(ticks, [_wrapped(name) for name in names], fontsize=9)
    for end, level, note in notes:
        axes.text(end + 0.01 * largest, level, note, va="center", fontsize=8.5)
    axes.set_xlim(0, largest * 1.15)
    axes.set_xlabel("seconds for the whole sweep, and how many times faster than P0")
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside upper center", ncols=4, fontsize=8.5, frameon=False)
    with pyplot.rc_context({"svg.hashsalt": "frostline"}):
        figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, 26))

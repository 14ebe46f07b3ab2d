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
    """Horizontal bars, a group for each sweep, on a logarithmic axis of seconds; as SVG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sweeps = results["sweeps"]
    figure, axes = pyplot.subplots(figsize=(8, 1.35 * len(sweeps) + 1.3), layout="constrained")
    ticks: list[float] = []
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
            axes.text(seconds * 1.04, height, note, va="center", fontsize=8.5)
            largest = max(largest, seconds)
        ticks.append(-(5 * group + 1.5))
    names = [f"{name}: {sweep['title']}" for name, sweep in sweeps.items()]
    axes.set_yticks(ticks, [_wrapped(name) for name in names], fontsize=9)
    axes.set_xscale("log")
    axes.set_xlim(right=largest * 2.4)
    axes.set_xlabel("seconds for the whole sweep (logarithmic), and how many times faster than P0")
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

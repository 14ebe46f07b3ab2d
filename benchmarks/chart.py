"""One chart: seconds for a sweep, P0, P1 and Frostline."""

import statistics
from pathlib import Path
from typing import Any

COLORS = {"P0": "#9aa5b1", "P1": "#5b7083", "ours": "#0b7285"}


def draw_chart(path: Path, results: dict[str, Any]) -> None:
    """Horizontal bars, one group for each sweep, on a logarithmic axis of seconds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    bars: list[tuple[str, str, float]] = []
    for name, sweep in results["sweeps"].items():
        medians = {system: statistics.median(v) for system, v in sweep["seconds"].items()}
        bars.append((f"{name}  what people do (P0)", "P0", medians["P0"]))
        bars.append((f"{name}  tuned loop (P1)", "P1", medians["P1"]))
        bars.append((f"{name}  Frostline", "ours", medians["cold"]))
        if "group cold" in medians:
            bars.append((f"{name}  Frostline, one batch", "ours", medians["group cold"]))
    figure, axes = pyplot.subplots(figsize=(8, 0.42 * len(bars) + 1.2), layout="constrained")
    places = list(range(len(bars)))[::-1]
    axes.barh(places, [b[2] for b in bars], color=[COLORS[b[1]] for b in bars], height=0.72)
    for place, (_, _, seconds) in zip(places, bars, strict=True):
        axes.text(seconds * 1.04, place, f"{seconds:.3g} s", va="center", fontsize=9)
    axes.set_yticks(places, [b[0] for b in bars], fontsize=9)
    axes.set_xscale("log")
    axes.set_xlim(right=max(b[2] for b in bars) * 2)
    axes.set_xlabel("seconds for the whole sweep (logarithmic)")
    axes.set_title(
        f"{results['machine']}: planning, storing, validation, records included", fontsize=10
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)

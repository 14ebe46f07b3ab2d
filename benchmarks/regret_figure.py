"""One figure: test score over the learning rate, a line a depth, and what lr=auto came to."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.regret_rows import AUTO, CENTER, Row, Rows
from benchmarks.regret_table import SHARED, BySeed, cells_of, picked

DATA = "photographs"
COLOURS = {"0": "#0b7285", "2": "#5f3dc4", "4": "#c2255c", "all": "#e67700"}


def draw(rows: Rows, path: Path, data: str = DATA) -> None:
    """Draw the cells of one data set.

    Args:
        rows: Of `regret run` and `regret heads`.
        path: Of the picture.
        data: Which set.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, 4.2), layout="constrained", dpi=130)
    cells = {depth: seeds for (name, depth), seeds in cells_of(rows).items() if name == data}
    # The same seeds at every depth: others have other splits.
    common = set.intersection(*(set(seeds) for seeds in cells.values()))
    cells = {
        depth: {seed: own for seed, own in seeds.items() if seed in common}
        for depth, seeds in cells.items()
    }
    print(f"{data}, seeds {sorted(common)}")
    named: list[float] = []
    for depth, colour in COLOURS.items():
        seeds = cells.get(depth)
        if seeds is None:
            continue
        points = _means(seeds)
        rates = [CENTER * 10 ** (step / 2) for step in points]
        axes.plot(rates, list(points.values()), "o-", color=colour, ms=4, label=f"freeze={depth}")
        auto = float(np.mean([picked(own, depth) for own in seeds.values()]))
        axes.axhline(auto, color=colour, lw=1, ls=":", alpha=0.8)
        if any(abs(auto - other) < 2 for other in named):
            continue  # the lines lie on each other
        named.append(auto)
        axes.annotate(
            f"auto {auto:.0f}", (1.0, auto), xycoords=("axes fraction", "data"), color=colour,
            fontsize=8, va="center", xytext=(4, 0), textcoords="offset points",
        )  # fmt: skip
    axes.axvline(CENTER * 10 ** (SHARED / 2), color="#868e96", lw=1, zorder=0)
    axes.annotate(
        "one rate for all", (CENTER, 0.02), xycoords=("data", "axes fraction"), fontsize=8,
        color="#495057", xytext=(4, 0), textcoords="offset points",
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("learning rate (dotted: what lr=auto came to)")
    axes.set_ylabel("test accuracy, %")
    axes.legend(frameon=False, fontsize=9, loc="center left")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)


def _means(seeds: BySeed) -> Mapping[int, float]:
    """Step to the mean test score of the seeds that trained it to its end, the first among them."""
    first = seeds[min(seeds)]
    steps = sorted(step for step, row in first.items() if _is_whole(row) and step != AUTO)
    return {
        step: float(
            np.mean(
                [
                    own[step].score()
                    for own in seeds.values()
                    if step in own and _is_whole(own[step])
                ]
            )
        )
        for step in steps
    }


def _is_whole(row: Row) -> bool:
    return row.state != "begun"

"""The figure of a study over images a class: a line an arm (a depth, a strategy)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.tools.data_share import Size

COLOURS = ("#0b7285", "#5f3dc4", "#c2255c", "#e67700", "#2b8a3e")
_HASH_SALT = "frostline"


def draw(sizes: "Sequence[Size]", path: Path) -> None:
    """Draw a panel a data set, with intervals; the highest arm at each size is ringed.

    Args:
        sizes: As `data_share.collect` returns them.
        path: Of the SVG file.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    data_sets = list(dict.fromkeys(one.data for one in sizes))
    arms = list(sizes[0].scores)
    figure, panels = pyplot.subplots(
        1, len(data_sets), figsize=(1.2 + 3.6 * len(data_sets), 3.6), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for panel, data in zip(panels[0], data_sets, strict=True):
        own = sorted((one for one in sizes if one.data == data), key=lambda one: one.images)
        for place, (arm, colour) in enumerate(zip(arms, COLOURS, strict=False)):
            # Side by side, so that intervals do not lie on each other.
            xs = [one.images * 1.04 ** (place - len(arms) / 2) for one in own]
            found = [one.scores[arm] for one in own]
            values = [100 * one.value for one in found]
            spans = [
                [100 * (one.value - one.low) for one in found],
                [100 * (one.high - one.value) for one in found],
            ]
            panel.errorbar(
                xs, values, spans, color=colour, marker="o", ms=4, lw=1.4, elinewidth=1,
                label=arm,
            )  # fmt: skip
            best = [(x, y) for x, y, one in zip(xs, values, own, strict=True) if one.best == arm]
            if best:
                panel.scatter(*zip(*best, strict=True), s=90, facecolors="none", edgecolors=colour)
        panel.set_xscale("log")
        panel.set_xticks([one.images for one in own], [f"{one.images:,}" for one in own])
        panel.minorticks_off()
        panel.set_title(data, fontsize=10)
        panel.set_xlabel("training images a class")
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    panels[0][0].set_ylabel("test accuracy, % (ring: the highest)")
    panels[0][-1].legend(frameon=False, fontsize=9, loc="lower right")
    path.parent.mkdir(exist_ok=True)
    with pyplot.rc_context({"svg.hashsalt": _HASH_SALT}):
        figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)

"""Searches replayed over recorded curves, as a table: what each costs and what it loses."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search_cells import CELLS
from benchmarks.search_curves import Curves, Floats
from benchmarks.search_rules import LoopSeconds, Search, asha, grid, one_epoch, own_grid, race
from benchmarks.simulate_race import race_rules

LOOP = "loop.json"  # in the folder of recordings: what `search_loop.loop_seconds` measured
RESAMPLED = 20  # replays of each recording, on validation images drawn anew


@dataclass(frozen=True)
class Row:
    """What a search came to, on average over data sets; each counts the same.

    Attributes:
        name: As in the table.
        speed: P1's grid's seconds over its seconds, the mean over recordings.
        epochs: Share of the grid's epochs.
        regret: Test points of the best cell minus those of the taken one.
        lost: How often the cell with the highest mean score on test did not reach its end.
    """

    name: str
    speed: float
    epochs: float
    regret: float
    lost: float


def table(folder: Path, *, resampled: int = RESAMPLED) -> list[str]:
    """The lines of the table.

    Args:
        folder: The recordings and `LOOP`.
        resampled: How often validation images are drawn anew.
    """
    from benchmarks.search_curves import read_curves

    recorded = read_curves(folder)
    timed = json.loads((folder / LOOP).read_text())
    loops = {one.data: _loop(timed, one) for one in recorded}
    truth = {
        data: np.mean([one.test for one in recorded if one.data == data], axis=0)
        for data in {one.data for one in recorded}
    }
    rules = race_rules().model_copy(update={"score": "f1_macro"})
    searches: dict[str, Search] = {
        "P1, full grid": grid,
        "P1 with successive halving (ASHA's rungs, eta 3)": asha,
        "P1, one epoch each, the best 3 to the end": one_epoch,
        "Frostline, full grid": own_grid,
        "**Frostline, race**, smallest expected loss": race(rules, takes_cheap=False),
        "the same, cheapest cell within 1 point (recommended)": race(rules, takes_cheap=True),
    }
    rng = np.random.default_rng(0)
    worlds = [one.resampled(rng) for one in recorded for _ in range(resampled)]
    rows = [_row(name, search, worlds, loops, truth) for name, search in searches.items()]
    sets = ", ".join(
        f"{data} ({sum(one.data == data for one in recorded)} seed, "
        f"{100 * (truth[data].max() - np.median(truth[data])):.1f} points from the best cell to "
        "the median)"
        for data in sorted(truth)
    )
    lines = [
        f"{len(CELLS)} cells; {sets}; each recording replayed {resampled} times.",
        "",
        "| search | speed-up over P1's grid | epochs | mean regret on test, points | "
        "more than the full grid's | best cell dropped |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        more = row.regret - rows[0].regret
        lines.append(
            f"| {row.name} | {row.speed:.1f} | {row.epochs:.0%} | {row.regret:.2f} | "
            f"{more:+.2f} | {row.lost:.0%} |"
        )
    return lines


def _loop(timed: Mapping[str, Any], curves: Curves) -> LoopSeconds:
    """What the tuned loop takes for these images: seconds of an epoch by their number."""
    pairs = np.array([timed["cells"][f"{cell.backbone} {cell.freeze}"] for cell in CELLS])
    images = (curves.n_train + len(curves.labels)) / (timed["n_train"] + timed["n_val"])
    return LoopSeconds(pairs[:, 0], pairs[:, 1] * images)


def _row(
    name: str,
    search: Search,
    worlds: Sequence[Curves],
    loops: Mapping[str, LoopSeconds],
    truth: Mapping[str, Floats],
) -> Row:
    """Means over the worlds of each set, then over sets."""
    by_set: dict[str, list[tuple[float, ...]]] = {}
    for world in worlds:
        loop, true = loops[world.data], truth[world.data]
        whole, found = grid(world, loop), search(world, loop)
        by_set.setdefault(world.data, []).append(
            (
                whole.seconds / found.seconds,
                found.epochs / whole.epochs,
                100 * float(true.max() - true[found.cell]),
                float(int(true.argmax()) not in found.kept),
            )
        )
    means = np.mean([np.mean(each, axis=0) for each in by_set.values()], axis=0)
    return Row(name, *map(float, means))

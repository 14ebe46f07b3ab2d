"""The race and its peers, replayed over recorded curves: which cell each takes, and what it pays.

The race decides by its own function, `frostline.sweeps.rounds.decide`, and pays what Frostline's
parts of runs took when they were recorded: a start once, its epochs, and for each pause the seconds
of building the job again and evaluating it. Peers pay a tuned loop's seconds for an epoch, nothing
for pausing, and once for building each cell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search_cells import CELLS, EPOCHS
from benchmarks.search_curves import Curves, Floats
from frostline.config.search_settings import RaceSearch
from frostline.sweeps.rounds import Decision, Stand, decide

ETA = 3
KEPT = 3  # cells that go on after "one epoch each"
RUNGS = (1, 2, EPOCHS)  # of the race by its shares of six epochs, and of ASHA: 6 / 9, 6 / 3, 6


@dataclass(frozen=True)
class LoopSeconds:
    """What a tuned loop takes.

    Attributes:
        start_s: `(C,)` to build each cell.
        epoch_s: `(C,)` of an epoch, validation included.
    """

    start_s: Floats
    epoch_s: Floats


@dataclass(frozen=True)
class Found:
    """How a search ended.

    Attributes:
        cell: The place of the cell that it takes.
        seconds: What it paid.
        epochs: Epochs of all cells.
        kept: Cells that reached their end.
    """

    cell: int
    seconds: float
    epochs: int
    kept: tuple[int, ...]


Search = Callable[[Curves, LoopSeconds], Found]


def grid(curves: Curves, loop: LoopSeconds) -> Found:
    """Every cell to its end; the highest is taken."""
    return _by_halving(curves, loop, [(EPOCHS, len(CELLS))])


def asha(curves: Curves, loop: LoopSeconds) -> Found:
    """Successive halving: of each rung the best third goes on."""
    keep = len(CELLS)
    steps = []
    for rung in RUNGS:
        steps.append((rung, keep))
        keep = max(1, keep // ETA)
    return _by_halving(curves, loop, steps)


def one_epoch(curves: Curves, loop: LoopSeconds) -> Found:
    """One epoch each, the best few to their end."""
    return _by_halving(curves, loop, [(1, len(CELLS)), (EPOCHS, KEPT)])


def _by_halving(curves: Curves, loop: LoopSeconds, steps: Sequence[tuple[int, int]]) -> Found:
    """Rungs, each with the number of cells that train to it, by the score at the rung before."""
    alive = list(range(len(CELLS)))
    done = np.zeros(len(CELLS), dtype=int)
    for rung, n_cells in steps:
        scores = curves.scores[:, : max(1, int(done.max()))].max(axis=1)
        alive = sorted(alive, key=lambda cell: -scores[cell])[:n_cells] if done.any() else alive
        done[alive] = rung
    seconds = float(loop.start_s.sum() + (loop.epoch_s * done).sum())
    final = curves.scores.max(axis=1)
    return Found(
        max(alive, key=lambda cell: final[cell]), seconds, int(done.sum()), tuple(sorted(alive))
    )


def own_grid(curves: Curves, loop: LoopSeconds) -> Found:  # noqa: ARG001
    """Frostline's grid."""
    found = grid(curves, LoopSeconds(curves.start_s, curves.epoch_s.mean(axis=1)))
    seconds = float((curves.start_s + curves.epoch_s.sum(axis=1) + curves.pause_s).sum())
    return Found(found.cell, seconds, found.epochs, found.kept)


def race(rules: RaceSearch, *, takes_cheap: bool) -> Search:
    """Frostline's race with one seed.

    Args:
        rules: Of the race.
        takes_cheap: Whether the recommended cell is taken, the cheapest within the tolerance of the
            smallest expected loss; else the one of the smallest loss.
    """

    def search(curves: Curves, loop: LoopSeconds) -> Found:  # noqa: ARG001
        done = np.zeros(len(CELLS), dtype=int)
        parts = np.zeros(len(CELLS), dtype=int)
        alive = list(range(len(CELLS)))
        decision: Decision | None = None
        for rung in RUNGS:
            for cell in alive:
                target = EPOCHS if _is_batched(cell) else rung
                parts[cell] += done[cell] < target
                done[cell] = max(done[cell], target)
            stands = {str(cell): _stand(curves, cell, int(done[cell])) for cell in alive}
            stands = {name: one for name, one in stands.items() if not one.is_whole} or stands
            decision = decide(stands, rules, more_seeds=False)
            alive = [cell for cell in alive if str(cell) not in decision.dropped]
        assert decision is not None
        epoch_s = np.cumsum(curves.epoch_s, axis=1)[np.arange(len(CELLS)), done - 1]
        seconds = float((curves.start_s + epoch_s + parts * curves.pause_s).sum())
        judged = decision.judged
        least = min(judged, key=lambda name: judged[name].loss)
        cell = int(decision.recommended if takes_cheap else least)
        return Found(cell, seconds, int(done.sum()), tuple(alive))

    return search


def _is_batched(cell: int) -> bool:
    """Heads on stored features train together to their end in the first round."""
    return CELLS[cell].freeze == "all" and CELLS[cell].augment != "crop"


def _stand(curves: Curves, cell: int, done: int) -> Stand:
    cost = float(curves.start_s[cell] + curves.epoch_s[cell].sum() + curves.pause_s[cell])
    return Stand({str(curves.seed): curves.at(cell, done)}, done / EPOCHS, cost)

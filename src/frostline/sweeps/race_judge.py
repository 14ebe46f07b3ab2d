"""The predictions of a race's cells after a round, read and judged in a process of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from frostline.config.schema import Settings
from frostline.config.search_settings import RaceSearch
from frostline.errors import DataError, TrackingError
from frostline.scratch import ScratchFolder
from frostline.stats.paired import Scored, scored
from frostline.sweeps.job_runs import experiment_of
from frostline.sweeps.rounds import Decision, Stand, decide
from frostline.tracking.prediction_files import read_predictions
from frostline.tracking.reader import Reader
from frostline.tracking.store import open_store
from frostline.training.rung import rung_name

_RUNGS = "rungs"
_WHOLE = "predictions/val.parquet"


@dataclass(frozen=True)
class Entrant:
    """A run of a cell that is judged.

    Attributes:
        cell: The cell.
        seed: Its seed.
        run_id: The run.
        until: The rung at which it is judged; None for a run with all its epochs.
        epochs: Of the whole run.
        looked: Of a candidate in a first look.
        cost_s: Seconds of a run; NaN where unknown.
    """

    cell: str
    seed: str
    run_id: str
    until: int | None
    epochs: int
    looked: int
    cost_s: float


def judge(
    settings: Settings, entrants: Sequence[Entrant], rules: RaceSearch, more_seeds: bool
) -> Decision | None:
    """Read the predictions of the entrants and decide; whole runs wait while others are compared.

    Args:
        settings: Of any job: where the runs are.
        entrants: The runs of all cells that are in the race.
        rules: Of the race.
        more_seeds: Whether further seeds are to come.

    Returns:
        None if no run has predictions.
    """
    store = open_store(settings.tracking.uri, experiment_of(settings))
    found: dict[str, dict[str, tuple[Entrant, Scored, float]]] = {}
    with ScratchFolder("race") as folder:
        for entrant in entrants:
            known = _scored(store, entrant, rules.score, folder / entrant.run_id)
            if known is not None:
                found.setdefault(entrant.cell, {})[entrant.seed] = (entrant, *known)
    stands = {cell: _stand(by_seed) for cell, by_seed in found.items()}
    # Like with like: what is at its end is no measure for what has just begun.
    stands = {cell: one for cell, one in stands.items() if not one.is_whole} or stands
    return decide(stands, rules, more_seeds=more_seeds) if stands else None


def _stand(by_seed: Mapping[str, tuple[Entrant, Scored, float]]) -> Stand:
    costs = [entrant.cost_s for entrant, *_ in by_seed.values()]
    return Stand(
        {seed: run for seed, (_, run, _) in by_seed.items()},
        min(share for *_, share in by_seed.values()),
        sum(costs) / len(costs),
    )


def _scored(
    store: Reader, entrant: Entrant, score: str, folder: Path
) -> tuple[Scored, float] | None:
    """A run at the rung that is judged, and the share of its epochs; None without predictions.

    A run that has gone further is judged by what it was at that rung, so that a race that is begun
    again decides as before.
    """
    kept = sorted(
        int(Path(path).stem.removeprefix("epoch-"))
        for path in store.list_artifacts(entrant.run_id, _RUNGS)
    )
    reached = [] if entrant.until is None else [n for n in kept if n >= entrant.until][:1]
    name = rung_name(reached[0]) if reached else _WHOLE
    try:
        file = store.fetch_artifact(entrant.run_id, name, folder)
        run = scored(read_predictions(file), score)
    except (TrackingError, DataError):
        return None
    epochs = (reached[0] or entrant.looked) if reached else entrant.epochs
    return run, min(1.0, epochs / entrant.epochs)

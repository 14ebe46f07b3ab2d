"""The cells of a race: their jobs, their names, and how far their runs have come."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from frostline.config.identity import config_digest
from frostline.sweep.plan import PlannedJob, common_overrides

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord


_RUNG = "frostline.rung"


def cells_of(
    jobs: Sequence[PlannedJob], guess: Mapping[str, float] | None = None
) -> dict[str, list[PlannedJob]]:
    """The jobs of each cell, one a seed, in their order; cells that freeze most come first.

    They train fastest, so that most is known soon.

    Args:
        jobs: All jobs.
        guess: Backbone to what is expected of it: of cells that freeze alike the highest comes
            first.
    """
    cells: dict[str, list[PlannedJob]] = {}
    for job in jobs:
        key = config_digest(job.settings.model_copy(update={"seed": 0}))
        cells.setdefault(key, []).append(job)

    def order(cell: str) -> tuple[float, float]:
        first = cells[cell][0]
        frozen = first.facts.frozen_stages / max(first.facts.num_stages, 1)
        return -frozen, -(guess or {}).get(first.settings.backbone, 0.0)

    return {cell: cells[cell] for cell in sorted(cells, key=order)}


def names_of(cells: Mapping[str, Sequence[PlannedJob]]) -> dict[str, str]:
    """Cell to what distinguishes it, as typed, such as `backbone=resnet50 freeze=2`."""
    common = common_overrides([job for jobs in cells.values() for job in jobs])
    names = {}
    for cell, jobs in cells.items():
        words = [word.lstrip("+") for word in jobs[0].overrides if word not in common]
        own = [word for word in words if not word.startswith("seed=")]
        names[cell] = " ".join(own) or jobs[0].settings.run_name
    return names


def rung_of(run: "RunRecord | None") -> int:
    """Epochs that a run has behind it at its last rung; 0 without any."""
    if run is None:
        return 0
    with suppress(ValueError, KeyError, TypeError):
        return int(json.loads(run.tags[_RUNG])["epochs"])
    return 0


def has_come(run: "RunRecord | None", until: int | None) -> bool:
    """Whether a job is as far as a round asks for.

    Args:
        run: Its run, if there is one.
        until: Epochs; FIRST_LOOK for a look at one of its candidates, None for its end.
    """
    if run is None or (not run.is_whole and _RUNG not in run.tags):
        return False
    return run.is_whole or (until is not None and rung_of(run) >= until)

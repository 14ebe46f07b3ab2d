"""The cells of a race: their jobs, their names, and how far their runs have come."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING

from frostline.config.identity import config_digest
from frostline.sweeps.plan import PlannedJob, common_overrides

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord


_RUNG = "frostline.rung"


def cells_of(
    jobs: Sequence[PlannedJob], guess: Mapping[str, float] | None = None
) -> dict[str, list[PlannedJob]]:
    """The jobs of each cell, one a seed, in the order in which cells begin.

    Depths take turns, those that freeze most first: they train fastest, and under a budget that is
    short something is known of each depth.

    Args:
        jobs: All jobs.
        guess: Backbone to what is expected of it: of cells that freeze alike the highest comes
            first.
    """
    cells: dict[str, list[PlannedJob]] = {}
    for job in jobs:
        key = config_digest(job.settings.model_copy(update={"seed": 0}))
        cells.setdefault(key, []).append(job)

    by_depth: dict[float, list[str]] = {}
    for cell, (first, *_) in cells.items():
        frozen = first.facts.prefix_stages / max(first.facts.num_stages, 1)
        by_depth.setdefault(frozen, []).append(cell)
    for alike in by_depth.values():
        alike.sort(key=lambda cell: -(guess or {}).get(cells[cell][0].settings.backbone, 0.0))
    turns = zip_longest(*(by_depth[frozen] for frozen in sorted(by_depth, reverse=True)))
    return {cell: cells[cell] for turn in turns for cell in turn if cell is not None}


def names_of(cells: Mapping[str, Sequence[PlannedJob]]) -> dict[str, str]:
    """Cell to what distinguishes it, as the report names it, such as `resnet50 freeze=2`."""
    common = common_overrides([job for jobs in cells.values() for job in jobs])
    names = {}
    for cell, jobs in cells.items():
        words = [_shown(word) for word in jobs[0].overrides if word not in common]
        own = [word for word in words if not word.startswith("seed=")]
        names[cell] = " ".join(own) or jobs[0].settings.run_name
    return names


def _shown(word: str) -> str:
    return word.lstrip("+").removeprefix("backbone=")


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

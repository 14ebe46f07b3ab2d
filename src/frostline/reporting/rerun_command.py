"""The commands that run some configurations with more seeds."""

import json
import shlex
from collections.abc import Mapping, Sequence

from frostline.invocation import as_called
from frostline.stats.cell import Cell
from frostline.tracking.lookup import PLAN_FILE
from frostline.tracking.records import RunRecord
from frostline.tracking.run_contents import Source

_DIGEST = "frostline.job_digest"
_OF_COMMAND = frozenset({"seed", "search", "budget"})
Values = dict[str, tuple[str, ...]]


def commands_for(
    cells: Sequence[Cell], seeds: Sequence[str], runs: Mapping[str, RunRecord], source: Source
) -> list[str]:
    """Commands that run cells with these seeds; finished runs among them are not repeated.

    Args:
        cells: The cells.
        seeds: All seeds, those that were run included, so that one report shows them together.
        runs: The cells' runs, by id.
        source: Where the plans of their sweeps are.

    Returns:
        As few as possible; where there are several, the last one compares what they ran. None if
        it is not recorded how a cell was run.
    """
    wanted: list[Values] = []
    for cell in cells:
        overrides = overrides_of(runs[next(iter(cell.run_ids.values()))], source)
        if overrides is None:
            return []
        wanted.append(_by_key(overrides))
    commands = [_command(values, seeds) for values in merged(wanted)]
    if len(commands) > 1:
        # Each is a sweep of its own.
        experiment = runs[next(iter(cells[0].run_ids.values()))].experiment
        (store,) = wanted[0].get("tracking.uri", ("",))
        at = ["--uri", store.replace("\\", "")] if store else []
        commands.append("python -m src.report " + shlex.join(["--experiment", experiment, *at]))
    return commands


def merged(wanted: Sequence[Values]) -> list[Values]:
    """Fewer grids that have the same cells: two that differ in one key's values become one."""
    grids = [dict(one) for one in wanted]
    joined = True
    while joined:
        joined = False
        for first in range(len(grids)):
            for second in range(first + 1, len(grids)):
                both = _join(grids[first], grids[second])
                if both is not None:
                    grids[first] = both
                    del grids[second]
                    joined = True
                    break
            if joined:
                break
    return grids


def _join(first: Values, second: Values) -> Values | None:
    if first.keys() != second.keys():
        return None
    differing = [key for key in first if first[key] != second[key]]
    if len(differing) > 1:
        return None
    if not differing:
        return first
    key = differing[0]
    return {**first, key: tuple(dict.fromkeys([*first[key], *second[key]]))}


def overrides_of(run: RunRecord, source: Source) -> list[str] | None:
    """What a run's job was composed from, as its sweep's plan has it; None if nothing says so."""
    text = source.text(run.parent_run_id, PLAN_FILE) if run.parent_run_id else None
    try:
        plan = json.loads(text) if text else {"jobs": []}
        folders = [f"--config-dir={folder}" for folder in plan.get("config_dir", [])]
        for job in plan["jobs"]:
            if job["digest"] == run.tags.get(_DIGEST):
                return [*folders, *(str(word) for word in job["overrides"])]
    except (ValueError, KeyError, TypeError):
        return None
    return None


def _by_key(overrides: Sequence[str]) -> Values:
    """Key to its one value; of a key given twice the last counts, as for Hydra.

    Without what belongs to the command: its seeds, how it searched, and what it was to cost.
    """
    pairs = (word.partition("=") for word in overrides)
    return {key: (value,) for key, _, value in pairs if key.lstrip("+") not in _OF_COMMAND}


def _command(values: Values, seeds: Sequence[str]) -> str:
    words = [f"{key}={','.join(own)}" if own != ("",) else key for key, own in values.items()]
    return as_called("python -m src.train -m ") + shlex.join([*words, "seed=" + ",".join(seeds)])

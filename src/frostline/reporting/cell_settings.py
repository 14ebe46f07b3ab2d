"""Which settings make a cell: MLflow parameters, and settings that only the runs' configs have."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import yaml

from frostline.config.identity import WITHOUT_EFFECT
from frostline.config.recorded_config import completed
from frostline.stats.folds import run_key
from frostline.tracking.records import RunRecord
from frostline.tracking.run_contents import CONFIG_FILE, Source

# What follows from other parameters.
DERIVED_PARAMS = (
    "frozen_stages",
    "frozen_params_frac",
    "frozen_flops_frac",
    "trainable_params",
)
# Which fold of how many a run is; only runs that are folds have them.
FOLD = "data_fold"
FOLDS = "data_folds"
# How much of the backbone its weights file has, where that is not all: no factor, but a mark.
PARTIAL_WEIGHTS = "weights_partial"
# Parts of a config that do not change what is trained, beside those that a job's digest leaves out.
# `tune` says how a value was looked for; the value is what is trained with.
_NOT_TRAINING = ("seed", "reuse", "hydra", "tune")
_FOLD_KEY = "data.fold"


def configuration(params: Mapping[str, str]) -> dict[str, str]:
    """The parameters that make a cell: all but the seed, the fold and derived values."""
    return {k: v for k, v in params.items() if k not in {"seed", FOLD} and k not in DERIVED_PARAMS}


def swept_params(params: Sequence[Mapping[str, str]]) -> list[str]:
    """Parameters with several values, `backbone` and `freeze` first, then as logged.

    The image size is left out where it follows from the backbone.
    """
    values_of: dict[str, set[str | None]] = {}
    for one in params:
        for key in configuration(one):
            if key != PARTIAL_WEIGHTS:
                values_of.setdefault(key, set())
    for key, values in values_of.items():
        values.update(one.get(key) for one in params)
    swept = [key for key, values in values_of.items() if len(values) > 1]
    pairs = {(one.get("backbone"), one.get("image_size")) for one in params}
    if "image_size" in swept and len(pairs) == len({one.get("backbone") for one in params}):
        swept.remove("image_size")
    return sorted(swept, key=lambda key: {"backbone": 0, "freeze": 1}.get(key, 2))


def cell_name(params: Mapping[str, str], swept: Sequence[str]) -> str:
    """Backbone and depth, then what else differs in the sweep and is recorded for this cell.

    Weights of which only a part fits are named wherever the cell is.
    """
    backbone = params.get("backbone", "?")
    rest = [key for key in swept if key not in {"backbone", "freeze"}]
    parts = [backbone, f"freeze={params.get('freeze', '?')}"]
    parts += [f"{key}={params[key]}" for key in rest if key in params]
    return " ".join(parts + partial_mark(params))


def partial_mark(params: Mapping[str, str]) -> list[str]:
    """What names a backbone of which its weights file has only a part; empty if it has all."""
    percent = partial_percent(params)
    return [f"PARTIAL WEIGHTS {percent}"] if percent else []


def partial_percent(params: Mapping[str, str]) -> str:
    """Share of a backbone's parameters that its weights file has, as `4.1 %`; empty if all."""
    return params.get(PARTIAL_WEIGHTS, "").partition(" of ")[0]


def with_unlogged_settings(records: Sequence[RunRecord], source: Source) -> list[RunRecord]:
    """Give runs the settings in which they differ although their parameters are the same.

    Only runs whose parameters, seed and fold occur twice with different job digests are looked at:
    a sweep over a key that is no parameter, such as `optimizer.weight_decay`. Where their configs
    agree too (another code version), nothing changes: they are duplicates.

    Args:
        records: Runs of single jobs.
        source: Where their `config.yaml` comes from.

    Returns:
        The runs in the same order; those that differ have additional parameters.
    """
    alike: dict[tuple[tuple[str, str], ...], list[RunRecord]] = defaultdict(list)
    for run in records:
        if run.is_whole:
            alike[tuple(sorted(configuration(run.params).items()))].append(run)
    added: dict[str, dict[str, str]] = {}
    for runs in alike.values():
        if _conflict(runs):
            configs = {run.run_id: _settings_of(run, source) for run in runs}
            for key in _differing(list(configs.values())):
                for run_id, config in configs.items():
                    added.setdefault(run_id, {})[key] = config.get(key, "-")
    return [
        replace(run, params={**run.params, **added[run.run_id]}) if run.run_id in added else run
        for run in records
    ]


def _conflict(runs: Sequence[RunRecord]) -> bool:
    """Whether a seed, or a fold of it, occurs twice with different digests."""
    digests: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        key = run_key(run.params.get("seed", ""), run.params.get(FOLD))
        digests[key].add(run.tags.get("frostline.job_digest", ""))
    return any(len(of_seed) > 1 for of_seed in digests.values())


def _differing(configs: Sequence[Mapping[str, str]]) -> list[str]:
    keys = dict.fromkeys(key for config in configs for key in config)
    return [key for key in keys if len({config.get(key) for config in configs}) > 1]


def _settings_of(run: RunRecord, source: Source) -> dict[str, str]:
    """A run's settings that affect training; without the fold, where that is a parameter.

    Runs recorded before folds were parameters keep it, as cells of their own.
    """
    settings = training_settings(source.text(run.run_id, CONFIG_FILE))
    if FOLD in run.params:
        settings.pop(_FOLD_KEY, None)
    return settings


def training_settings(text: str | None) -> dict[str, str]:
    """The settings of a `config.yaml` that affect training, by dotted key, without the seed.

    Keys that it lacks have the defaults of now. Empty if it cannot be read.
    """
    try:
        loaded = yaml.safe_load(text) if text else None
    except yaml.YAMLError:
        return {}
    if not isinstance(loaded, dict):
        return {}
    # The options of a user's own part are typed without that word: augment.strength=3.
    return {
        key.replace(".options.", ".", 1): value
        for key, value in _leaves(completed(loaded), "")
        if _affects_training(key)
    }


def _affects_training(key: str) -> bool:
    """Whether a setting may change what is trained."""
    first, _, inner = key.partition(".")
    if first in _NOT_TRAINING:
        return False
    ignored: set[str] | None = WITHOUT_EFFECT.get(first, set())
    return ignored is not None and inner.split(".")[0] not in ignored


def _leaves(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, str(value)

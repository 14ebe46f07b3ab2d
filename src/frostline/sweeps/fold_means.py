"""The folds of a configuration as one row of the table at the end: the means of their figures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from frostline.reporting.cell_settings import DERIVED_PARAMS, FOLD, FOLDS
from frostline.stats.cell import TUNE_S
from frostline.sweeps.outcome import Outcome

# In a row's parameters: how many folds it is the mean of, such as `4 of 5`.
COLUMN = "folds"
# What all folds took together.
_SUMS = ("time/train_s", TUNE_S)


def are_folds(outcomes: Sequence[Outcome]) -> bool:
    """Whether the runs are folds of their data."""
    return any(FOLD in outcome.params for outcome in outcomes)


def means_over_folds(finished: Sequence[Outcome]) -> list[Outcome]:
    """One outcome for each configuration and seed, in the order of their first folds.

    A value that each fold has tuned for itself is shown from its lowest to its highest.

    Args:
        finished: Runs with figures; those that are no folds stay as they are.
    """
    groups: dict[object, list[Outcome]] = {}
    for outcome in finished:
        key = _key(outcome) if FOLD in outcome.params else outcome.digest or outcome.run_id
        groups.setdefault(key, []).append(outcome)
    return [_mean(group) if FOLD in group[0].params else group[0] for group in groups.values()]


def _key(outcome: Outcome) -> object:
    tuned = {"lr"} if TUNE_S in outcome.metrics else set()
    left_out = {FOLD, *DERIVED_PARAMS, *tuned}
    params = {key: value for key, value in outcome.params.items() if key not in left_out}
    swept = {key: value for key, value in outcome.swept.items() if key != "data.fold"}
    return tuple(sorted(params.items())), tuple(sorted(swept.items()))


def _mean(folds: Sequence[Outcome]) -> Outcome:
    first = folds[0]
    params = {key: value for key, value in first.params.items() if key != FOLD}
    params[COLUMN] = f"{len(folds)} of {first.params.get(FOLDS, '?')}"
    rates = sorted({one.params["lr"] for one in folds if "lr" in one.params}, key=_number)
    if len(rates) > 1:
        params["lr"] = f"{rates[0]} .. {rates[-1]}"
    return replace(
        first,
        params=params,
        metrics=_means([one.metrics for one in folds]),
        swept={key: value for key, value in first.swept.items() if key != "data.fold"},
        state="reused" if all(one.state == "reused" for one in folds) else "done",
        is_solved=all(one.is_solved for one in folds),
    )


def _means(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = [name for name in metrics[0] if all(name in one for one in metrics)]
    sums = {name: sum(one[name] for one in metrics) for name in names}
    return {name: sums[name] / (1 if name in _SUMS else len(metrics)) for name in names}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("inf")

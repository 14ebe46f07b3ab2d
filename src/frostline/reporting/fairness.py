"""Is the comparison fair? What favours some configurations, and what to do about it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from frostline.reporting.cell_rates import LR, CellRate
from frostline.reporting.cell_settings import PARTIAL_WEIGHTS
from frostline.reporting.trained_enough import Training
from frostline.stats.cell import value_order
from frostline.stats.learning import MIN_EPOCHS
from frostline.stats.verdict import Verdict

_MAX_NAMED = 3


def fairness(
    verdict: Verdict, rates: Mapping[str, CellRate], trained: Mapping[str, Training]
) -> str:
    """A line for each reason why the comparison is not fair; empty if none is found.

    Args:
        verdict: What is compared.
        rates: Name of a cell to its learning rate.
        trained: Name of a cell to how far it was trained, for those whose curves were read.
    """
    lines = [
        *_partial_weights(verdict),
        *_shared_rates(verdict, rates),
        *_unequal_effort(verdict, rates),
        *_at_edge(verdict, rates),
        *_unfinished(trained),
    ]
    return "\n".join(lines)


def _shared_rates(verdict: Verdict, rates: Mapping[str, CellRate]) -> list[str]:
    """Rates that several depths of a backbone share although nobody looked for the best of each."""
    depths_of: dict[tuple[tuple[str, str], ...], set[str]] = defaultdict(set)
    for row in verdict.rows:
        rate = rates.get(row.cell.name)
        if rate is None or rate.value is None or rate.chosen:
            continue
        params = {**row.cell.params, "rate": rate.text, "origin": rate.origin}
        depth = params.pop("freeze", "?")
        depths_of[tuple(sorted(params.items()))].add(depth)
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for key, depths in depths_of.items():
        if len(depths) > 1:
            params = dict(key)
            place = params["rate"], params["origin"], tuple(sorted(depths, key=value_order))
            alike[place].append(params.get("backbone", "?"))
    return [
        f"One learning rate for several depths: {rate} ({origin}) for freeze={', '.join(depths)} "
        f"of {_listed(list(dict.fromkeys(backbones)))}. Which rate is best depends on the depth, "
        "so a difference between depths may be one between rates. With lr=auto each has its own."
        for (rate, origin, depths), backbones in alike.items()
    ]


def _partial_weights(verdict: Verdict) -> list[str]:
    """Cells whose weights file has only a part of the backbone."""
    partial = [
        f"{row.cell.params.get('backbone', '?')}: {row.cell.params[PARTIAL_WEIGHTS]}"
        for row in verdict.rows
        if PARTIAL_WEIGHTS in row.cell.params
    ]
    if not partial:
        return []
    names = _listed(list(dict.fromkeys(partial)))
    return [
        f"Partial weights (weights_partial=true): the file has of {names}. The rest "
        "began random, and is random still where it is frozen. Compare with a file that "
        "holds the whole backbone."
    ]


def _unequal_effort(verdict: Verdict, rates: Mapping[str, CellRate]) -> list[str]:
    """Cells whose rate is the best of fewer typed ones than that of others."""
    n_typed = {
        row.cell.name: rates[row.cell.name].n_typed
        for row in verdict.rows
        if row.cell.name in rates and "tuned" not in rates[row.cell.name].origin
    }
    most = max(n_typed.values(), default=1)
    fewer = [f"{name} ({n})" for name, n in n_typed.items() if n < most]
    if not fewer:
        return []
    return [
        f"Not the same effort: up to {most} learning rates were typed for a configuration, but "
        f"fewer for {_listed(fewer)}. Give all the same rates, or use lr=auto."
    ]


def _at_edge(verdict: Verdict, rates: Mapping[str, CellRate]) -> list[str]:
    """Chosen values beyond which nothing was tried."""
    found: dict[tuple[str, bool], list[tuple[str, str]]] = defaultdict(list)
    for row in verdict.rows:
        rate = rates.get(row.cell.name)
        for key in rate.at_edge if rate is not None else ():
            assert rate is not None
            value = rate.text if key == LR else rate.also.get(key, "?")
            found[key, "tuned" in rate.origin or key != LR].append((row.cell.name, value))
    lines = []
    for (key, tuned), cells in found.items():
        names = _listed([f"{name} ({key}={value})" for name, value in cells])
        if not tuned:
            todo = f"Add values of {key} beyond it, or use lr=auto"
        elif key == LR:
            todo = f"Run these again around it: tune.center={cells[0][1]}"
        else:
            todo = f"Give more values of {key} in tune.over"
        lines.append(
            f"The best {key} is the lowest or highest of all that were tried for {names}, so a "
            f"better one may lie beyond. {todo}."
        )
    return lines


def train_longer(trained: Mapping[str, Training]) -> str:
    """What to do first where some have not finished learning; empty where all have."""
    cells = {name: one for name, one in trained.items() if one.finished == "no" or one.too_short}
    if not cells:
        return ""
    return (
        f"First train all longer, epochs={max(MIN_EPOCHS, 2 * _most_epochs(cells))}: what has not "
        "finished learning may change places, whatever more runs say."
    )


def _unfinished(trained: Mapping[str, Training]) -> list[str]:
    """Cells that would have learned more in more epochs, or have too few to tell."""
    lines = []
    cells = {name: one for name, one in trained.items() if one.finished == "no"}
    if cells:
        names = _listed([f"{name} ({_how(one)})" for name, one in cells.items()])
        if len(cells) == len(trained) > _MAX_NAMED:
            first, one = next(iter(cells.items()))
            names = f"all {len(cells)} configurations, such as {first} ({_how(one)})"
        lines.append(
            f"Not finished learning: {names}. Those that learn fast are favoured. Train all "
            f"longer: epochs={2 * _most_epochs(cells)}."
        )
    short = {name: one for name, one in trained.items() if one.too_short and name not in cells}
    if short:
        runs = [
            (b, n) for one in short.values() for b, n in zip(one.best, one.n_epochs, strict=True)
        ]
        at_end = sum(best == n for best, n in runs)
        lines.append(
            f"Too few epochs to tell whether learning was finished: {_listed(list(short))}; the "
            f"last epoch is the best in {at_end} of {len(runs)} runs. Train all longer: "
            f"epochs={max(MIN_EPOCHS, 2 * _most_epochs(short))}."
        )
    return lines


def _most_epochs(trained: Mapping[str, Training]) -> int:
    return max(max(one.n_epochs) for one in trained.values())


def _how(training: Training) -> str:
    n_epochs = max(training.n_epochs)
    if training.falls_at_once:
        fall = 100 * sum(training.last_step) / len(training.last_step)
        return f"validation loss −{fall:.1f} % in the last of {n_epochs} epochs"
    last = training.loss.n_last if training.loss is not None else 0
    if training.still_falls and training.loss is not None:
        fall_text = f"validation loss −{100 * training.loss.share:.1f} %"
        return f"{fall_text} in the last {last} of {n_epochs} epochs"
    return f"the last of {n_epochs} epochs is the best, by more than noise"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f", and {more} more" if more > 0 else "")

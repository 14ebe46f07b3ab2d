"""Which runs are still to be trained: on the first seed a wide grid, then those that matter.

On the first seed the grid grows from its middle to both sides until a rate scores far worse than
the best; of candidates beyond that only the first epochs are trained, which is what the rules see.
On other seeds those train to the end whose score on the first seed was near the best, and the one
that the product's rule chooses there; of other candidates the first epochs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks.regret_rows import Job, Row, Rows
from benchmarks.regret_rules import CANDIDATES, PRODUCT, RULES, chosen
from benchmarks.regret_runs import FIRST_EPOCHS

MIDDLE = (1, 0, 2)
STEPS = (*MIDDLE, -1, 3, -2, 4, -3, 5)
NEAR_POINTS = 6.0
HOPELESS_POINTS = 8.0
Wanted = tuple[Job, int]  # and after how many epochs it may end


def wanted(cells: Sequence[Job], seeds: Sequence[int], rows: Rows) -> Iterator[Wanted]:
    """The runs that can be started now, the most wanted ones first.

    Args:
        cells: What is compared, without seeds and rates.
        seeds: The first of them is trained on all rates.
        rows: What is there already.
    """
    for seed in seeds:
        for cell in cells:
            own = _of_seed(cell, seed, rows)
            if seed == seeds[0]:
                steps = _on_first_seed(own)
            else:
                first = _of_seed(cell, seeds[0], rows)
                if any(True for _ in _on_first_seed(first)):
                    continue
                steps = _on_other_seed(first, own)
            for step, whole in steps:
                until = cell.epochs if whole else min(FIRST_EPOCHS, cell.epochs)
                yield replace(cell, seed=seed, step=step), until


def _of_seed(cell: Job, seed: int, rows: Rows) -> dict[int, Row]:
    found = {step: rows.get(replace(cell, seed=seed, step=step)) for step in STEPS}
    return {step: row for step, row in found.items() if row is not None}


def _on_first_seed(own: dict[int, Row]) -> Iterator[tuple[int, bool]]:
    missing = [step for step in MIDDLE if not _is_whole(own.get(step))]
    yield from ((step, True) for step in missing)
    if missing:
        return
    whole = {step: row.score() for step, row in own.items() if _is_whole(row)}
    least = max(whole.values()) - HOPELESS_POINTS
    waiting = False
    for step in STEPS:
        inner = step - 1 if step > 0 else step + 1
        if step not in whole and whole.get(inner, -1.0) >= least:
            waiting = True
            yield step, True
    if waiting:
        return
    missing = [step for step in CANDIDATES if step not in own]
    yield from ((step, False) for step in missing)
    if not missing:
        yield from _asked_for(own)


def _on_other_seed(first: dict[int, Row], own: dict[int, Row]) -> Iterator[tuple[int, bool]]:
    scores = {step: row.score() for step, row in first.items() if _is_whole(row)}
    near = [step for step, score in scores.items() if score >= max(scores.values()) - NEAR_POINTS]
    waiting = False
    for step in STEPS:
        whole = step in near
        if whole and not _is_whole(own.get(step)):
            waiting = True
            yield step, True
        elif not whole and step in CANDIDATES and step not in own:
            waiting = True
            yield step, False
    if not waiting:
        yield from _asked_for(own)


def _asked_for(own: dict[int, Row]) -> Iterator[tuple[int, bool]]:
    """The rate that the product's rule chooses if it is not whole, or must see before."""
    curves = {step: row.curve for step, row in own.items()}
    step, missing = chosen(RULES[PRODUCT], curves)
    if missing is not None:
        yield missing, False
    elif not _is_whole(own[step]):
        yield step, True


def _is_whole(row: Row | None) -> bool:
    return row is not None and row.state != "begun"

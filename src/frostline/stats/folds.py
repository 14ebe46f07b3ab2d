"""Runs that are folds of one data set: how they are counted, and how far they depend on each other.

The validation images of k folds are disjoint, but their training images overlap, so what one fold's
training owes to the luck of its images the others owe, too. The spread over folds does not show it.
After Nadeau and Bengio, the variance of a mean over J folds is

    observed variance over folds * (1 / J + n_val / n_train)

instead of 1 / J alone; with repeated folds J counts all of them.

Source:
    Nadeau and Bengio, "Inference for the Generalization Error", Mach. Learn. 2003; Bouckaert and
    Frank, PAKDD 2004 (repeated folds). Coverage as measured: docs/report.md.
"""

from collections.abc import Collection

from frostline.stats.cell import value_order

_FOLD = " fold "


def run_key(seed: str, fold: str | None) -> str:
    """The name of a run among those of its cell: `0`, or `0 fold 2` where it is a fold."""
    return seed if fold is None else f"{seed}{_FOLD}{fold}"


def key_order(key: str) -> tuple[tuple[int, float, str], tuple[int, float, str]]:
    """Sort key: by seed, then by fold, as numbers."""
    seed, _, fold = key.partition(_FOLD)
    return value_order(seed), value_order(fold)


def are_folds(keys: Collection[str]) -> bool:
    """Whether runs are folds; those of one cell all are, or none is."""
    return any(_FOLD in key for key in keys)


def word_for(keys: Collection[str]) -> str:
    """What the runs of a cell are: `seeds` or `folds`."""
    return "folds" if are_folds(keys) else "seeds"


def counted(keys: Collection[str]) -> str:
    """How many there are, such as `3 seeds`, `5 folds`, `10 folds of 2 seeds`."""
    if not are_folds(keys):
        return _many(len(keys), "seed")
    seeds = {key.partition(_FOLD)[0] for key in keys}
    of = f" of {len(seeds)} seeds" if len(seeds) > 1 else ""
    return _many(len(keys), "fold") + of


def overlap_of(folds: int, fraction: float = 1.0) -> float:
    """n_val / n_train: one fold is validation, one is the test, the others are training.

    Args:
        folds: k, at least 3.
        fraction: Share of the training images that is used, in (0, 1].
    """
    return 1 / ((folds - 2) * fraction)


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"

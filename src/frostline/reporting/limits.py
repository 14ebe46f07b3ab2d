"""What a page cannot say about these data, and why."""

from collections.abc import Sequence

from frostline.stats.lone_classes import lone_classes
from frostline.stats.rules import SHORT_SCORE_NAMES
from frostline.stats.verdict import Verdict

_MAX_NAMED = 5


def limits(verdict: Verdict, classes: Sequence[str] | None) -> str:
    """A line for each thing that cannot be said; empty if there is none.

    Args:
        verdict: With the runs that were scored.
        classes: Names of the classes, by number; None if they are not recorded.
    """
    return "\n".join([*_lone(verdict, classes), *_alike(verdict), *_head_seeds(verdict)])


def _lone(verdict: Verdict, classes: Sequence[str] | None) -> list[str]:
    """Classes without a second group to differ from the first."""
    seeds = verdict.scored.get(verdict.top.cell.name, {})
    lone = lone_classes(seeds)
    if not lone:
        return []
    n_classes = len({label for run in seeds.values() for label in run.classes})
    names = [classes[k] if classes is not None and k < len(classes) else str(k) for k in lone]
    more = len(names) - _MAX_NAMED
    listed = ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
    score = SHORT_SCORE_NAMES[verdict.rules.score]
    if len(lone) == n_classes:
        return [
            f"No class has two groups of validation images, so nothing tells how {score} would "
            "differ on others: its intervals contain what seeds add, and nothing of the images. "
            "No configuration is called worse. Add images, or compare by --score acc_micro."
        ]
    return [
        f"The validation images of {len(lone)} of {n_classes} classes ({listed}) are one group "
        "each: how these classes would score on others cannot be said, and they are "
        f"{len(lone)} of {n_classes} parts of {score}. Differences that they could make up by "
        "themselves are not claimed. Add images of them, or compare by --score acc_micro."
    ]


def _alike(verdict: Verdict) -> list[str]:
    """Configurations between which nothing differs."""
    compared = [row.comparison for row in verdict.rows if row.comparison is not None]
    if not compared or len(compared) < len(verdict.rows) - 1:
        return []
    if any(c.only_top or c.only_other or c.difference.value for c in compared):
        return []
    return [
        "All configurations are right and wrong on the same validation images: nothing here tells "
        "them apart but their costs."
    ]


def _head_seeds(verdict: Verdict) -> list[str]:
    """Seeds that draw first weights only, since `order_seed` fixes what is in which batch."""
    fixed = [
        row.cell.params["order_seed"]
        for row in verdict.rows
        if "order_seed" in row.cell.params and len(row.cell.run_ids) > 1
    ]
    if not fixed:
        return []
    return [
        f"order_seed={fixed[0]}: the seeds share the order and the augmentation of their images "
        "and differ in first weights (and in splits, unless data.split_seed is fixed). They say "
        "too little of other trainings, so the intervals may be too narrow. Repeat without "
        "order_seed for a verdict."
    ]

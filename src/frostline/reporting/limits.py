"""What a page cannot say about these data, and why."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from frostline.stats.lone_classes import FEW_GROUPS, groups_by_class, lone_classes
from frostline.stats.rules import SHORT_SCORE_NAMES
from frostline.stats.verdict import Verdict
from frostline.tracking.run_contents import Source

_MAX_NAMED = 5
# A leak that concerns less lifts scores by no more than what else is uncertain.
_SMALL_LEAK = 0.05


def limits(verdict: Verdict, classes: Sequence[str] | None, leaks: Sequence["Leak"] = ()) -> str:
    """A line for each thing that cannot be said; empty if there is none.

    Args:
        verdict: With the runs that were scored.
        classes: Names of the classes, by number; None if they are not recorded.
        leaks: What is in two splits, see `recorded_leaks`.
    """
    lines = [one.limit for one in leaks]
    lines += [*_lone(verdict, classes), *_few(verdict, classes)]
    return "\n".join([*lines, *_alike(verdict), *_head_seeds(verdict)])


@dataclass(frozen=True)
class Leak:
    """What the data check of a run found in two splits.

    Attributes:
        found: What, in sentences.
        share: The part of validation or of test that it concerns, 0 to 1.
    """

    found: str
    share: float

    @property
    def limit(self) -> str:
        """What cannot be said because of it."""
        if self.share < _SMALL_LEAK:
            most = f"{100 * self.share:.1f} points at most"
            return f"By how much a leak lifts accuracy ({most}): {self.found}"
        return f"How new images would be recognised, because of a leak: {self.found}"


def leak_caveat(leaks: Sequence[Leak]) -> str:
    """A sentence for the headline; empty without a leak."""
    share = max((one.share for one in leaks), default=0.0)
    if not leaks or share < _SMALL_LEAK:
        at_most = (
            f"A leak between the splits may lift accuracy, by {100 * share:.1f} points at most."
        )
        return at_most if leaks else ""
    return (
        "A leak was found between the splits, so no figure here says how well new images would be "
        "recognised."
    )


def recorded_leaks(verdict: Verdict, source: Source) -> list[Leak]:
    """The leaks of the recommended runs, of each kind the largest.

    Args:
        verdict: What is recommended.
        source: Where records of data are.
    """
    largest: dict[str, Leak] = {}
    for run_id in verdict.recommended.cell.run_ids.values():
        text = source.text(run_id, "data.json")
        try:
            leaks = [
                Leak(str(one["found"]), float(one["share"]))
                for one in (json.loads(text).get("leaks", []) if text else [])
            ]
        except (ValueError, AttributeError, KeyError, TypeError):
            leaks = []
        for one in leaks:
            kind = one.found.partition(":")[0]
            largest[kind] = max(one, largest.get(kind, one), key=lambda leak: leak.share)
    return list(largest.values())


def _lone(verdict: Verdict, classes: Sequence[str] | None) -> list[str]:
    """Classes without a second group to differ from the first."""
    seeds = verdict.scored.get(verdict.top.cell.name, {})
    lone = lone_classes(seeds)
    if not lone:
        return []
    n_classes = len({label for run in seeds.values() for label in run.classes})
    listed = _listed(lone, classes)
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


def _few(verdict: Verdict, classes: Sequence[str] | None) -> list[str]:
    """Classes with so few groups that their own error is hardly in any interval."""
    seeds = verdict.scored.get(verdict.top.cell.name, {})
    sizes = groups_by_class(seeds)
    few = [label for label, groups in sizes.items() if 1 < len(groups) < FEW_GROUPS]
    if not few:
        return []
    score = SHORT_SCORE_NAMES[verdict.rules.score]
    listed = _listed(few, classes)
    are = "has" if len(few) == 1 else "have"
    return [
        f"{len(few)} of {len(sizes)} classes ({listed}) {are} fewer than {FEW_GROUPS} groups of "
        f"validation images, over all seeds: intervals of {score} hardly contain how such classes "
        "would score on others, and are too narrow. Add images of them, or compare by --score "
        "acc_micro."
    ]


def _listed(labels: Sequence[int], classes: Sequence[str] | None) -> str:
    names = [classes[k] if classes is not None and k < len(classes) else str(k) for k in labels]
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


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

"""Check the labels of a data set: suspects, and whether such can be found on its images at all."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.advice.labels.planted_labels import Planted, plant
from frostline.advice.labels.suspects import Suspects, find_suspects
from frostline.advice.measures.simple_classifiers import macro_accuracy
from frostline.advice.measures.table_features import TableFeatures, table_features
from frostline.data.sample_table import SampleTable, name_some

# Below these nothing is said: see docs/labels.md for what was measured at such sizes.
MIN_GROUPS = 3
MIN_IMAGES = 40
MIN_PRECISION = 0.5
MIN_RECALL = 0.3
SLIP, MIXED_UP = "slip", "mixed up"


@dataclass(frozen=True)
class Suspect:
    """An image whose label is probably wrong.

    Attributes:
        file: The item.
        given: Its class as labelled.
        suggested: The most probable other class, by heads that have not seen its group.
        given_probability: Of the class as labelled, in 0 .. 1.
        suggested_probability: Of the suggested class, in 0 .. 1.
        wrong_probability: That the label is a slip: see `frostline.stats.label_noise`.
        kind: `slip`, or `mixed up`: see `frostline.advice.labels.suspects`.
    """

    file: str
    given: str
    suggested: str
    given_probability: float
    suggested_probability: float
    wrong_probability: float
    kind: str


@dataclass(frozen=True)
class LabelCheck:
    """What can be said of the labels of a data set.

    Attributes:
        table: The images.
        judged: How many of them were judged.
        suspects: Slips first, in each kind the most suspicious; empty if nothing can be said.
        why_not: Why nothing can be said; empty if something can.
        accuracy: Macro accuracy out of fold, in 0 .. 1; None if nothing was computed.
        planted: What became of labels that were swapped on purpose; None likewise.
        not_judged: Classes with too few groups.
        backbone: Whose features were used; empty if none were.
        by_cleanlab: Whether cleanlab is installed, which names what is mixed up.
    """

    table: SampleTable
    judged: int
    suspects: tuple[Suspect, ...]
    why_not: str
    accuracy: float | None = None
    planted: Planted | None = None
    not_judged: tuple[str, ...] = ()
    backbone: str = ""
    by_cleanlab: bool = True

    def of_kind(self, kind: str) -> list[Suspect]:
        """The suspects of one kind."""
        return [one for one in self.suspects if one.kind == kind]

    def plain(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        planted = self.planted
        return {
            "name": self.table.name,
            "images": len(self.table),
            "judged": self.judged,
            "classes_not_judged": list(self.not_judged),
            "backbone": self.backbone,
            "accuracy_macro": self.accuracy,
            "cannot_tell": self.why_not or None,
            "swapped_on_purpose": None
            if planted is None
            else asdict(planted) | {"recall": planted.recall, "precision": planted.precision},
            "suspects": [asdict(one) for one in self.suspects],
        }


def check_labels(
    table: SampleTable,
    *,
    backbone: str,
    weights: str = "pretrained",
    seed: int = 0,
    on_progress: Callable[..., None] = lambda **_: None,
) -> LabelCheck:
    """Look for wrong labels.

    Args:
        table: The images.
        backbone: Whose features separate the classes.
        weights: `pretrained` or a path.
        seed: Of the labels that are swapped on purpose.
        on_progress: Receives `text=`.

    Raises:
        FrostlineError: If the backbone or its weights cannot be used.
    """
    rows, not_judged = judged_rows(table)
    if why_not := too_little(table, rows):
        return LabelCheck(table, 0, (), why_not, not_judged=not_judged)
    features = table_features(table, backbone=backbone, weights=weights, on_progress=on_progress)
    on_progress(text=f"judging {len(rows):,} labels by heads that have not seen their images")
    return judge(table, features, rows, not_judged, seed=seed)


def judge(
    table: SampleTable,
    features: TableFeatures,
    rows: NDArray[np.int64],
    not_judged: tuple[str, ...] = (),
    *,
    seed: int,
) -> LabelCheck:
    """Judge the labels of some rows of a table by features of all of them."""
    names, labels = np.unique(table.labels[rows], return_inverse=True)
    groups, values = table.groups[rows], features.values[rows]
    found = find_suspects(values, labels, groups)
    planted = plant(values, labels, groups, found, seed=seed)
    accuracy = macro_accuracy(found.probs.argmax(axis=1), labels)
    why_not = _why_not(planted, accuracy, len(names))
    classes = [table.classes[k] for k in names.tolist()]
    return LabelCheck(
        table,
        len(rows),
        () if why_not else _named(table, rows, labels, classes, found),
        why_not,
        accuracy,
        planted,
        not_judged,
        features.backbone,
        found.mixed_up is not None,
    )


def judged_rows(table: SampleTable) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the rows of classes with groups enough, and the names of the other classes."""
    pairs = np.unique(np.stack([table.labels, _codes(table.groups)]), axis=1)
    n_groups = np.bincount(pairs[0], minlength=len(table.classes))
    few = np.flatnonzero(n_groups < MIN_GROUPS)
    rows = np.flatnonzero(~np.isin(table.labels, few))
    return rows, tuple(table.classes[k] for k in few.tolist())


def too_little(table: SampleTable, rows: NDArray[np.int64]) -> str:
    """Return why so few images say nothing about labels; empty if they may."""
    n_groups = len(np.unique(table.groups))
    if n_groups == 1:
        return (
            "all images are of one group, so no image can be judged by others: check --group-by, "
            "or add images of other objects"
        )
    classes = len(np.unique(table.labels[rows]))
    if classes < 2:
        return (
            f"{classes} of {len(table.classes)} classes have {MIN_GROUPS} images (or groups of "
            "images of one object) or more, and two classes are needed: a label is judged by the "
            "other images of its class"
        )
    if len(rows) < MIN_IMAGES:
        return f"there are {len(rows)} images to judge; {MIN_IMAGES} are needed"
    return ""


def _why_not(planted: Planted, accuracy: float, n_classes: int) -> str:
    if planted.swapped and (planted.precision >= MIN_PRECISION and planted.recall >= MIN_RECALL):
        return ""
    return (
        f"of {planted.swapped} labels that were swapped on purpose {planted.found} were found, "
        f"and {planted.named - planted.found} more images were named wrongly: these features do "
        f"not tell the classes apart well enough ({accuracy:.0%} right out of fold, guessing gives "
        f"{1 / n_classes:.0%}), or the labels are wrong throughout"
    )


def _named(
    table: SampleTable,
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    classes: list[str],
    found: Suspects,
) -> tuple[Suspect, ...]:
    others = found.probs.copy()
    others[np.arange(len(labels)), labels] = -1
    best = others.argmax(axis=1)
    return tuple(
        Suspect(
            file=table.items[rows[place]],
            given=classes[labels[place]],
            suggested=classes[best[place]],
            given_probability=float(found.probs[place, labels[place]]),
            suggested_probability=float(found.probs[place, best[place]]),
            wrong_probability=float(found.wrong[place]),
            kind=kind,
        )
        for kind, places in ((SLIP, found.rows), (MIXED_UP, found.mixed_up))
        if places is not None
        for place in places.tolist()
    )


def _codes(groups: NDArray[np.str_]) -> NDArray[np.int64]:
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def unjudged_note(check: LabelCheck) -> str:
    """Return which images were not judged; empty if all were."""
    if not check.not_judged or check.why_not:
        return ""
    return (
        f"not judged, fewer than {MIN_GROUPS} images (or groups) in the class: "
        f"{name_some(check.not_judged)}"
    )

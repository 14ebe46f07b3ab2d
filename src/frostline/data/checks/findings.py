"""The single checks: what is wrong with a data set, as findings with numbers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.data.checks.duplicates import Duplicates, Pairs
from frostline.data.checks.shortcuts import Probe
from frostline.data.imbalance import imbalance_ratio
from frostline.data.sample_table import SampleTable, name_some
from frostline.data.splits import split_table
from frostline.errors import DataError

# Findings are reported from these values on.
MIN_IMBALANCE = 3.0
MIN_UNGROUPED_FRAC = 0.05
# Share of validation and of test, as in conf/_data_split.yaml.
USUAL_FRAC = 0.2


@dataclass(frozen=True)
class Finding:
    """One thing that the user should know before training.

    Attributes:
        level: "error" (cannot be trained on), "leak" (scores would be wrong), "warning" (scores
            may mislead) or "note".
        title: A few words.
        text: Details, with numbers, and what to do.
        share: Of a leak the part of validation or of test that it concerns, whichever is larger.
    """

    level: str
    title: str
    text: str
    share: float | None = None


def unusable_splits(table: SampleTable) -> list[Finding]:
    """Report why a run would fail: too few images of a class, or a split that lacks a class."""
    if table.given_split is not None and _groups_in_several_splits(table, table.given_split):
        return []  # reported as a leak
    try:
        split_table(table, val_frac=USUAL_FRAC, test_frac=USUAL_FRAC, seed=0)
    except DataError as error:
        return [Finding("error", "this data set cannot be trained on", str(error))]
    return []


def leaks_across_splits(
    table: SampleTable, duplicates: Duplicates, split_of_row: NDArray[np.str_]
) -> list[Finding]:
    """Report copies of an image, and groups, that are in more than one split."""
    pairs = duplicates.both()
    one, other = split_of_row[pairs[:, 0]], split_of_row[pairs[:, 1]]
    leaked = pairs[(one != other) & (one != "") & (other != "")]
    groups = _groups_in_several_splits(table, split_of_row)
    findings = []
    if len(leaked):
        shares = _affected_shares(split_of_row, np.unique(leaked))
        affected = " and ".join(f"{share:.1%} of {split}" for split, share in shares.items())
        findings.append(
            Finding(
                "leak",
                "the same image in two splits",
                f"{len(leaked)} pairs, which affect {affected}: {_list_pairs(table, leaked)}. "
                f"Scores on them measure memory. Remove the copies{_or_together(table)}.",
                max(shares.values(), default=0.0),
            )
        )
    if groups:
        shares = _affected_shares(split_of_row, np.flatnonzero(np.isin(table.groups, groups)))
        findings.append(
            Finding(
                "leak",
                "groups in two splits",
                f"{len(groups)} groups are in more than one split: {name_some(groups)}.",
                max(shares.values(), default=0.0),
            )
        )
    return findings


def _or_together(table: SampleTable) -> str:
    """How images that look the same get into one split, where Frostline makes the splits."""
    if table.given_split is not None:
        return ""
    return (
        ", or keep what looks the same together: python -m src.data PATH --groups groups.json, "
        "then data.group_by=groups.json"
    )


def _groups_in_several_splits(table: SampleTable, split_of_row: NDArray[np.str_]) -> list[str]:
    memberships = set(zip(table.groups.tolist(), split_of_row.tolist(), strict=True))
    n_splits = Counter(group for group, split in memberships if split)
    return sorted(group for group, count in n_splits.items() if count > 1)


def _affected_shares(split_of_row: NDArray[np.str_], rows: NDArray[np.int64]) -> dict[str, float]:
    """The share of validation and of test that some rows are."""
    shares = {}
    for split in ("val", "test"):
        inside = split_of_row == split
        if inside.any():
            shares[split] = float(np.isin(np.flatnonzero(inside), rows).mean())
    return shares


def conflicting_labels(table: SampleTable, duplicates: Duplicates) -> list[Finding]:
    """Report equal images with different labels."""
    pairs = duplicates.exact
    conflicting = pairs[table.labels[pairs[:, 0]] != table.labels[pairs[:, 1]]]
    if not len(conflicting):
        return []
    listed = _list_pairs(table, conflicting)
    text = f"{len(conflicting)} pairs of equal images have different labels: {listed}."
    return [Finding("warning", "one image, two labels", text)]


def missing_groups(table: SampleTable, duplicates: Duplicates) -> list[Finding]:
    """Report many nearly equal images in different groups."""
    pairs = duplicates.both()
    ungrouped = pairs[table.groups[pairs[:, 0]] != table.groups[pairs[:, 1]]]
    share = len(np.unique(ungrouped)) / len(table)
    if share < MIN_UNGROUPED_FRAC:
        return []
    return [
        Finding(
            "warning",
            "photos of one object are probably not grouped",
            f"{share:.1%} of the images look nearly the same as an image of another group, such as "
            f"{_list_pairs(table, ungrouped)}. A random split puts them into several splits, and "
            f"the test counts photos seen in training. Group them with data.group_by"
            f"{_or_together(table)}.",
        )
    ]


def shortcuts(probes: Sequence[Probe]) -> list[Finding]:
    """Report evidence beside the subject that predicts the class."""
    return [
        Finding(
            "warning",
            f"shortcut: the {probe.evidence} alone",
            f"{probe.acc_macro:.1%} (+- {probe.margin:.1%}) of the images are classified by the "
            f"{probe.evidence} alone; guessing gives {probe.chance:.1%}. A model may learn that "
            "instead of the subject: test on photos from elsewhere.",
        )
        for probe in probes
        if probe.gives_away
    ]


def class_imbalance(table: SampleTable) -> list[Finding]:
    """Report classes of very different size."""
    counts = table.counts()
    ratio = imbalance_ratio(np.array(list(counts.values())))
    if ratio < MIN_IMBALANCE:
        return []
    largest, smallest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    return [
        Finding(
            "warning",
            "imbalance",
            f"'{largest}' has {counts[largest]} images, '{smallest}' {counts[smallest]}: "
            f"{ratio:.1f} times as many. Read macro scores, not plain accuracy.",
        )
    ]


def exact_copies(table: SampleTable, duplicates: Duplicates) -> list[Finding]:
    """Report equal images."""
    if not len(duplicates.exact):
        return []
    text = f"{len(duplicates.exact)} images are copies: {_list_pairs(table, duplicates.exact)}."
    return [Finding("note", "exact copies", text)]


def unreadable_images(table: SampleTable) -> list[Finding]:
    """Report images that were left out."""
    if not table.skipped:
        return []
    named = name_some(f"{bad.path}: {bad.reason}" for bad in table.skipped)
    return [Finding("warning", "unreadable images", f"{len(table.skipped)} left out: {named}.")]


def sizes_and_modes(table: SampleTable) -> list[Finding]:
    """Report the range of sizes and the colour modes of image files."""
    if table.facts is None:
        return []
    modes = Counter(table.facts.modes)
    sizes: NDArray[np.int64] = np.stack([table.facts.widths_px, table.facts.heights_px])
    low, high = sizes.min(axis=1), sizes.max(axis=1)
    listed = ", ".join(f"{count} {mode}" for mode, count in modes.most_common())
    text = f"{low[0]} x {low[1]} to {high[0]} x {high[1]} px; modes: {listed}."
    return [Finding("note", "sizes and modes", text)]


def _list_pairs(table: SampleTable, pairs: Pairs) -> str:
    listed = [f"{table.items[one]} = {table.items[other]}" for one, other in pairs[:3].tolist()]
    return name_some(listed) + (f" and {len(pairs) - 3} more" if len(pairs) > 3 else "")

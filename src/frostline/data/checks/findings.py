"""All checks of one data set, as findings with numbers."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.data.checks.duplicates import Duplicates, Pairs, find_duplicates
from frostline.data.checks.shortcuts import Probe, probe_shortcuts
from frostline.data.geometry import Geometry
from frostline.data.imbalance import imbalance_ratio
from frostline.data.pixels import open_pixels
from frostline.data.sample_table import SampleTable, name_some
from frostline.data.splits import Splits, split_table
from frostline.errors import DataError

THUMBNAIL = Geometry(32, "box", 1.0, "squash", (0, 0, 0))
# Above these shares and ratios a finding is told.
MIN_IMBALANCE = 3.0
MIN_UNGROUPED_FRAC = 0.05
# Of validation and of test, as in conf/data.
USUAL_FRAC = 0.2


@dataclass(frozen=True)
class Finding:
    """One thing that a person should know before training.

    Attributes:
        level: "error" (cannot be trained on), "leak" (scores would be wrong), "warning" (scores
            may mislead) or "note".
        title: A few words.
        text: What was found, with numbers, and what to do.
    """

    level: str
    title: str
    text: str


@dataclass(frozen=True)
class Checkup:
    """What all checks found.

    Attributes:
        table: The images.
        findings: Errors first, then leaks, warnings and notes.
        duplicates: Pairs of rows that show the same picture.
        probes: How well evidence beside the subject predicts the class.
    """

    table: SampleTable
    findings: tuple[Finding, ...]
    duplicates: Duplicates
    probes: tuple[Probe, ...]

    def plain(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        pairs = self.duplicates
        return {
            **self.table.profile(),
            "findings": [asdict(finding) for finding in self.findings],
            "exact_duplicates": _named(self.table, pairs.exact),
            "near_duplicates": _named(self.table, pairs.near),
            "probes": [asdict(probe) | {"gives_away": probe.gives_away} for probe in self.probes],
        }


def _named(table: SampleTable, pairs: Pairs) -> list[list[str]]:
    return [[table.items[one], table.items[other]] for one, other in pairs.tolist()]


def check_table(
    table: SampleTable, *, seed: int, splits: Splits | None = None, probing: bool = True
) -> Checkup:
    """Run all checks.

    Args:
        table: The images.
        seed: Of the probes.
        splits: The splits of a run; None: those that the source brings, if any, and it is
            checked that the table can be split.
        probing: Also probe for shortcuts, which takes a few seconds.
    """
    thumbnails = open_pixels(table, THUMBNAIL, memory_gib=1.0).take(np.arange(len(table)))
    digests = table.facts.digests if table.facts else None
    duplicates = find_duplicates(thumbnails, digests)
    groups = duplicates.join(table.groups)
    probes = tuple(probe_shortcuts(table, thumbnails, groups, seed=seed)) if probing else ()
    side = _sides(table, splits)
    findings = [
        *(_cannot_be_split(table) if splits is None else ()),
        *(_leaks_across_splits(table, duplicates, side) if side is not None else ()),
        *_conflicting_labels(table, duplicates),
        *_missing_groups(table, duplicates),
        *_shortcuts(probes),
        *_balance(table),
        *_exact(table, duplicates),
        *_unreadable(table),
        *_mixed(table),
        *(Finding("note", "about this data set", note) for note in table.notes),
    ]
    order = {"error": 0, "leak": 1, "warning": 2, "note": 3}
    findings.sort(key=lambda finding: order[finding.level])
    return Checkup(table, tuple(findings), duplicates, probes)


def _sides(table: SampleTable, splits: Splits | None) -> NDArray[np.str_] | None:
    """The split of each row; empty for rows in none."""
    if splits is None:
        return table.given_split
    side = np.full(len(table), "", dtype="<U5")
    for name, rows in splits.named().items():
        side[rows] = name
    return side


def _cannot_be_split(table: SampleTable) -> list[Finding]:
    """What a training would stop at: too few images of a class, or a class that a split lacks."""
    if table.given_split is not None and _groups_in_several_splits(table, table.given_split):
        return []  # told as a leak
    try:
        split_table(table, val_frac=USUAL_FRAC, test_frac=USUAL_FRAC, seed=0)
    except DataError as error:
        return [Finding("error", "a training would stop", str(error))]
    return []


def _leaks_across_splits(
    table: SampleTable, duplicates: Duplicates, side: NDArray[np.str_]
) -> list[Finding]:
    pairs = duplicates.both()
    one, other = side[pairs[:, 0]], side[pairs[:, 1]]
    torn = pairs[(one != other) & (one != "") & (other != "")]
    groups = _groups_in_several_splits(table, side)
    findings = []
    if len(torn):
        hit = _evaluated(side, torn)
        findings.append(
            Finding(
                "leak",
                "the same picture in two splits",
                f"{len(torn)} pairs, touching {hit}: {_pairs(table, torn)}. Scores on them measure "
                "memory. Remove the copies, or group them with data.group_by.",
            )
        )
    if groups:
        findings.append(
            Finding(
                "leak",
                "groups in two splits",
                f"{len(groups)} groups are in more than one split: {name_some(groups)}.",
            )
        )
    return findings


def _groups_in_several_splits(table: SampleTable, side: NDArray[np.str_]) -> list[str]:
    places = set(zip(table.groups.tolist(), side.tolist(), strict=True))
    sides = Counter(group for group, split in places if split)
    return sorted(group for group, count in sides.items() if count > 1)


def _evaluated(side: NDArray[np.str_], pairs: Pairs) -> str:
    """How much of validation and test is touched, in words."""
    rows = np.unique(pairs)
    parts = []
    for split in ("val", "test"):
        inside = side == split
        if inside.any():
            share = np.isin(np.flatnonzero(inside), rows).mean()
            parts.append(f"{share:.1%} of {split}")
    return " and ".join(parts)


def _conflicting_labels(table: SampleTable, duplicates: Duplicates) -> list[Finding]:
    pairs = duplicates.exact
    unlike = pairs[table.labels[pairs[:, 0]] != table.labels[pairs[:, 1]]]
    if not len(unlike):
        return []
    text = f"{len(unlike)} pairs of equal images have different labels: {_pairs(table, unlike)}."
    return [Finding("warning", "one picture, two labels", text)]


def _missing_groups(table: SampleTable, duplicates: Duplicates) -> list[Finding]:
    pairs = duplicates.both()
    apart = pairs[table.groups[pairs[:, 0]] != table.groups[pairs[:, 1]]]
    share = len(np.unique(apart)) / len(table)
    if share < MIN_UNGROUPED_FRAC:
        return []
    return [
        Finding(
            "warning",
            "photos of one thing are probably not grouped",
            f"{share:.1%} of the images look nearly the same as an image of another group, such as "
            f"{_pairs(table, apart)}. A random split puts them on both sides and the test counts "
            "photos seen in training. Group them with data.group_by.",
        )
    ]


def _shortcuts(probes: tuple[Probe, ...]) -> list[Finding]:
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


def _balance(table: SampleTable) -> list[Finding]:
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


def _exact(table: SampleTable, duplicates: Duplicates) -> list[Finding]:
    if not len(duplicates.exact):
        return []
    text = f"{len(duplicates.exact)} images are copies: {_pairs(table, duplicates.exact)}."
    return [Finding("note", "exact copies", text)]


def _unreadable(table: SampleTable) -> list[Finding]:
    if not table.skipped:
        return []
    named = name_some(f"{bad.path}: {bad.reason}" for bad in table.skipped)
    return [Finding("warning", "unreadable images", f"{len(table.skipped)} left out: {named}.")]


def _mixed(table: SampleTable) -> list[Finding]:
    if table.facts is None:
        return []
    modes = Counter(table.facts.modes)
    sizes: NDArray[np.int64] = np.stack([table.facts.widths_px, table.facts.heights_px])
    low, high = sizes.min(axis=1), sizes.max(axis=1)
    listed = ", ".join(f"{count} {mode}" for mode, count in modes.most_common())
    text = f"{low[0]} x {low[1]} to {high[0]} x {high[1]} px; modes: {listed}."
    return [Finding("note", "sizes and modes", text)]


def _pairs(table: SampleTable, pairs: Pairs) -> str:
    shown = [f"{table.items[one]} = {table.items[other]}" for one, other in pairs[:3].tolist()]
    return name_some(shown) + (f" and {len(pairs) - 3} more" if len(pairs) > 3 else "")

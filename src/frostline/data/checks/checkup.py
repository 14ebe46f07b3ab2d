"""Run all checks on one data set."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.data.checks.duplicates import Duplicates, Pairs, find_duplicates
from frostline.data.checks.findings import (
    Finding,
    class_imbalance,
    conflicting_labels,
    exact_copies,
    leaks_across_splits,
    missing_groups,
    shortcuts,
    sizes_and_modes,
    unreadable_images,
    unusable_splits,
)
from frostline.data.checks.shortcuts import Probe, probe_shortcuts
from frostline.data.geometry import Geometry
from frostline.data.pixels import open_pixels
from frostline.data.reading_notes import counted_lists
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits

THUMBNAIL = Geometry(32, "box", 1.0, "squash", (0, 0, 0))
LEVELS = ("error", "leak", "warning", "note")


@dataclass(frozen=True)
class Checkup:
    """The results of all checks.

    Attributes:
        table: The images.
        findings: Errors first, then leaks, warnings and notes.
        duplicates: Pairs of rows that show the same image.
        probes: How well evidence beside the subject predicts the class.
    """

    table: SampleTable
    findings: tuple[Finding, ...]
    duplicates: Duplicates
    probes: tuple[Probe, ...]

    def plain(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {
            **self.table.profile(),
            "findings": [asdict(finding) for finding in self.findings],
            "exact_duplicates": _item_pairs(self.table, self.duplicates.exact),
            "near_duplicates": _item_pairs(self.table, self.duplicates.near),
            "probes": [asdict(probe) | {"gives_away": probe.gives_away} for probe in self.probes],
        }


def _item_pairs(table: SampleTable, pairs: Pairs) -> list[list[str]]:
    return [[table.items[one], table.items[other]] for one, other in pairs.tolist()]


def check_table(
    table: SampleTable,
    *,
    seed: int,
    splits: Splits | None = None,
    probing: bool = True,
    also: Sequence[Geometry] = (),
) -> Checkup:
    """Run all checks.

    Args:
        table: The images.
        seed: Seed of the probes.
        splits: The splits of a run; None: those that the source defines, if any. Without splits
            it is also checked that the table can be split.
        probing: Also probe for shortcuts, which takes a few seconds.
        also: Squares that training will need: stored while the images are decoded for the checks.
    """
    thumbnails = open_pixels(table, THUMBNAIL, memory_gib=1.0, also=also).take(
        np.arange(len(table))
    )
    digests = table.facts.digests if table.facts else None
    duplicates = find_duplicates(thumbnails, digests)
    groups = duplicates.join(table.groups)
    probes = tuple(probe_shortcuts(table, thumbnails, groups, seed=seed)) if probing else ()
    split_of_row = _split_names(table, splits)
    findings = [
        *(unusable_splits(table) if splits is None else ()),
        *(leaks_across_splits(table, duplicates, split_of_row) if split_of_row is not None else ()),
        *conflicting_labels(table, duplicates),
        *missing_groups(table, duplicates),
        *shortcuts(probes),
        *class_imbalance(table),
        *exact_copies(table, duplicates),
        *unreadable_images(table),
        *sizes_and_modes(table),
        *(Finding("note", "about this data set", note) for note in table.notes),
        *(
            Finding("note", "left out or listed", line)
            for line in [counted_lists(table.lists)]
            if line
        ),
    ]
    findings.sort(key=lambda finding: LEVELS.index(finding.level))
    return Checkup(table, tuple(findings), duplicates, probes)


def _split_names(table: SampleTable, splits: Splits | None) -> NDArray[np.str_] | None:
    """Return the split of each row; empty for rows in no split."""
    if splits is None:
        return table.given_split
    split_of_row = np.full(len(table), "", dtype="<U5")
    for name, rows in splits.named().items():
        split_of_row[rows] = name
    return split_of_row

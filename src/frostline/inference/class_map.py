"""From the classes of one data set to those of a run, by name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.data.sample_table import name_some
from frostline.errors import DataError


@dataclass(frozen=True)
class ClassMap:
    """Where the classes of a data set stand among those of a run.

    Attributes:
        theirs: Class names of the data set, L of them.
        ours: Class names of the run, K of them.
        index: (L) int64, the run's class for each of theirs; -1 where there is none.
    """

    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    index: NDArray[np.int64]

    @property
    def unknown(self) -> tuple[str, ...]:
        """Classes of the data set that the run has not learnt."""
        return tuple(
            name for name, k in zip(self.theirs, self.index.tolist(), strict=True) if k < 0
        )

    @property
    def absent(self) -> tuple[str, ...]:
        """Classes of the run of which the data set has no image."""
        there = set(self.index.tolist())
        return tuple(name for k, name in enumerate(self.ours) if k not in there)

    @property
    def respelt(self) -> dict[str, str]:
        """Classes that are spelt otherwise in the run."""
        return {
            name: self.ours[k]
            for name, k in zip(self.theirs, self.index.tolist(), strict=True)
            if k >= 0 and self.ours[k] != name
        }


def map_classes(theirs: Sequence[str], ours: Sequence[str], by_hand: Mapping[str, str]) -> ClassMap:
    """Find each class of a data set among those of a run.

    A name is found as it is, or by its letters and digits alone: `Corn - Common Rust` is
    `Corn___Common_rust`. Two classes of the data set may be one of the run's.

    Args:
        theirs: Class names of the data set.
        ours: Class names of the run.
        by_hand: Their names to ours, where a person knows better.

    Raises:
        DataError: If `by_hand` names classes that are not there, or no class is found at all.
    """
    for names, known in ((by_hand.keys(), theirs), (by_hand.values(), ours)):
        strange = sorted(set(names) - set(known))
        if strange:
            raise DataError(
                f"--map names classes that are not there: {name_some(strange)}",
                name_some(sorted(known), 40),
            )
    by_letters: dict[str, list[int]] = {}
    for k, name in enumerate(ours):
        by_letters.setdefault(_letters(name), []).append(k)
    exact = {name: k for k, name in enumerate(ours)}
    index = []
    for name in theirs:
        wanted = by_hand.get(name, name)
        alike = by_letters.get(_letters(wanted), [])
        index.append(exact.get(wanted, alike[0] if len(alike) == 1 else -1))
    if max(index) < 0:
        raise DataError(
            f"none of the {len(theirs)} classes is one of the run's: {name_some(theirs, 5)}",
            name_some(ours, 40),
            'say which is which: --map "their name=the run\'s name", as often as need be',
        )
    return ClassMap(tuple(theirs), tuple(ours), np.array(index, dtype=np.int64))


def _letters(name: str) -> str:
    return re.sub(r"[^\w]|_", "", name).casefold()

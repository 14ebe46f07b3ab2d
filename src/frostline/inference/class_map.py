"""Map the classes of a data set to those of a run, by name."""

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.data.sample_table import name_some
from frostline.errors import DataError


@dataclass(frozen=True)
class ClassMap:
    """The classes of a data set as indices of a run's classes.

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
        """Classes of the data set that the run does not have."""
        return tuple(
            name for name, k in zip(self.theirs, self.index.tolist(), strict=True) if k < 0
        )

    @property
    def absent(self) -> tuple[str, ...]:
        """Classes of the run without an image in the data set."""
        present = set(self.index.tolist())
        return tuple(name for k, name in enumerate(self.ours) if k not in present)

    @property
    def respelt(self) -> dict[str, str]:
        """Classes that are spelt differently in the run."""
        return {
            name: self.ours[k]
            for name, k in zip(self.theirs, self.index.tolist(), strict=True)
            if k >= 0 and self.ours[k] != name
        }


def map_classes(theirs: Sequence[str], ours: Sequence[str], given: Mapping[str, str]) -> ClassMap:
    """Find each class of a data set among those of a run.

    Names match exactly, or by their letters and digits alone: `Corn - Common Rust` is
    `Corn___Common_rust`. Two classes of the data set may be the same class of the run.

    Args:
        theirs: Class names of the data set.
        ours: Class names of the run.
        given: Their names to ours, given by the user; it wins over matching.

    Raises:
        DataError: If `given` names unknown classes, or no class matches.
    """
    check_names(given.keys(), theirs, "the data set's")
    check_names(given.values(), ours, "the run's")
    by_letters: dict[str, list[int]] = {}
    for k, name in enumerate(ours):
        by_letters.setdefault(_letters(name), []).append(k)
    exact = {name: k for k, name in enumerate(ours)}
    index = []
    for name in theirs:
        target = given.get(name, name)
        matches = by_letters.get(_letters(target), [])
        index.append(exact.get(target, matches[0] if len(matches) == 1 else -1))
    if max(index) < 0:
        raise DataError(
            f"none of the {len(theirs)} classes is one of the run's: {name_some(theirs, 5)}",
            name_some(ours, 40),
            'map them: --map "their name=the run\'s name", once for each class',
        )
    return ClassMap(tuple(theirs), tuple(ours), np.array(index, dtype=np.int64))


def check_names(given: Iterable[str], allowed: Sequence[str], whose: str) -> None:
    """Refuse names after --map that are no classes.

    Args:
        given: The names.
        allowed: The classes.
        whose: Whose classes they are, such as "the run's".

    Raises:
        DataError: If there is one; the message has the nearest name.
    """
    unknown = sorted(set(given) - set(allowed))
    if not unknown:
        return
    near = {name: nearest(name, allowed) for name in unknown}
    meant = ", ".join(f"{name} -> {close}" for name, close in near.items() if close is not None)
    raise DataError(
        f"--map names unknown classes: {name_some(unknown)}"
        + (f"; nearest: {meant}" if meant else ""),
        f"{whose} classes: {name_some(sorted(allowed), 40)}",
    )


def nearest(name: str, classes: Iterable[str]) -> str | None:
    """The class whose name is most like another one; None if none is."""
    by_letters = {_letters(each): each for each in classes}
    close = difflib.get_close_matches(_letters(name), by_letters, n=1, cutoff=0.6)
    return by_letters[close[0]] if close else None


def remedy(mapped: ClassMap) -> str:
    """The words that map unknown classes to absent ones with like names; may be empty."""
    pairs = [(name, nearest(name, mapped.absent)) for name in mapped.unknown]
    words = [f"--map {shlex.quote(f'{name}={ours}')}" for name, ours in pairs if ours is not None]
    return " ".join(words)


def _letters(name: str) -> str:
    return re.sub(r"[^\w]|_", "", name).casefold()

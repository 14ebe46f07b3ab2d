"""What a source left out, took over or guessed: sentences for the user, and the full lists."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class ReadingNotes:
    """Collected while a data set is read.

    Attributes:
        sentences: Each with its count and a few examples.
        lists: A few words to everything that they concern, such as paths; recorded in data.json.
    """

    sentences: list[str] = field(default_factory=list)
    lists: dict[str, list[str]] = field(default_factory=dict)

    def add(self, sentence: str, what: str = "", items: Iterable[str] = ()) -> None:
        """Add a sentence, and the list that it counts under the name `what`."""
        self.sentences.append(sentence)
        listed = list(items)
        if listed:
            self.lists.setdefault(what, []).extend(listed)

    def extend(self, other: "ReadingNotes") -> None:
        """Add all that another one holds."""
        self.sentences += other.sentences
        for what, items in other.lists.items():
            self.lists.setdefault(what, []).extend(items)


def counted_lists(lists: Mapping[str, Sequence[str]]) -> str:
    """Say in one line how much each list holds and where it is; empty if there is none."""
    if not lists:
        return ""
    counts = ", ".join(f"{_counted(len(items), what)}" for what, items in sorted(lists.items()))
    return f"{counts}: all named by the data check's --json, and in each run's data.json"


def counted(n: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 image`, `2 images`; `plural` unless it is the noun with an s."""
    return f"{n:,} {noun if n == 1 else plural or f'{noun}s'}"


def _counted(n: int, what: str) -> str:
    """A number with its noun, such as `1 other file`, `2 other files`."""
    noun = re.sub(r"(file|folder|link)s", r"\1", what, count=1) if n == 1 else what
    return f"{n} {noun}"

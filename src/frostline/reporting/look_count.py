"""Looks at growing results: which pages counted, so that their claims can be corrected."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from frostline.reporting.select import Selection
from frostline.stats.rules import Rules

_DIGEST_CHARS = 12


@dataclass(frozen=True)
class Looks:
    """Looks in the order in which they were made, each known by what it looked at.

    Attributes:
        made: Digests of the runs and the score of each look.
        current: Of the present one; empty if it claims nothing and so is none.
    """

    made: Sequence[str] = ()
    current: str = ""

    @property
    def number(self) -> int:
        """The number of the present look, from 1; of one that was made before, its number then."""
        if self.current in self.made:
            return list(self.made).index(self.current) + 1
        return len(self.made) + 1

    @property
    def is_new(self) -> bool:
        """Whether the present look is to be recorded."""
        return bool(self.current) and self.current not in self.made

    def with_this(self, selection: Selection, rules: Rules) -> "Looks":
        """With the present look, if two configurations have two seeds each: before, none is tested.

        The same runs by the same score are the same look, however often the page is made.
        """
        several = [cell for cell in selection.cells if len(cell.run_ids) > 1]
        if len(several) < 2:
            return replace(self, current="")
        ids = [run.run_id for run in selection.runs]
        return replace(self, current=look_digest(rules.score, ids))


def look_digest(score: str, run_ids: Iterable[str]) -> str:
    """What a look is known by: the score, and the runs it looked at."""
    text = "\n".join([score, *sorted(run_ids)])
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]


NO_LOOKS = Looks()

"""What a tuned cell chose: kept in a file for its other seeds, and written into each record."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from frostline.config.schema import Settings
from frostline.config.tune_grid import with_values
from frostline.files import replacing, sealed, unsealed
from frostline.training.candidate import Candidate

CHOICE = "choice.json"
TABLE = "tuning.csv"


@dataclass(frozen=True)
class Tuning:
    """What a tuned job chose, and from what.

    Attributes:
        candidates: All of them, in the order of the grid.
        chosen: The place of the best one.
        seed: The seed on which it was chosen.
        at_edge: Tuned keys whose chosen value has no neighbour on one side, the grid having been
            widened there.
    """

    candidates: Sequence[Candidate]
    chosen: int
    seed: int
    at_edge: tuple[str, ...]

    @property
    def best(self) -> Candidate:
        """The chosen one."""
        return self.candidates[self.chosen]

    @property
    def lost_s(self) -> float:
        """Seconds that went into candidates that were not chosen."""
        return sum(
            candidate.seconds
            for place, candidate in enumerate(self.candidates)
            if place != self.chosen
        )

    def tags(self) -> dict[str, str]:
        """Tags of the runs that use the chosen values."""
        best = self.best
        solved = {} if best.l2 is None else {"frostline.head_solver": f"L-BFGS, l2={best.l2:.3g}"}
        longer = {"frostline.epochs_trained": str(self.best.length)} if self.best.length else {}
        edge = {"frostline.tuned_at_edge": ",".join(self.at_edge)} if self.at_edge else {}
        return {
            "frostline.tuned": json.dumps(self.best.values),
            "frostline.tuned_on_seed": str(self.seed),
            "frostline.tuned_candidates": str(len(self.candidates)),
            **edge,
            **longer,
            **solved,
        }

    def settings_for(self, job: Settings) -> Settings:
        """A job of this cell, with the chosen values and the length of the chosen schedule."""
        chosen = with_values(job, self.best.values)
        length = self.best.length
        return chosen if length is None else chosen.model_copy(update={"epochs": length})

    def save(self, folder: Path) -> None:
        """Write the choice, for the runs of other seeds."""
        content = {
            "candidates": [candidate.plain() for candidate in self.candidates],
            "chosen": self.chosen,
            "seed": self.seed,
            "at_edge": list(self.at_edge),
        }
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / CHOICE) as temporary:
            temporary.write_text(sealed(json.dumps(content)))

    @classmethod
    def load(cls, folder: Path) -> "Tuning | None":
        """A choice that was saved; None if there is none that can be read."""
        try:
            text = (folder / CHOICE).read_text()
            # Older versions wrote no checksum.
            content = json.loads(text if text.startswith("{") else unsealed(text))
            candidates = [Candidate.from_plain(each) for each in content["candidates"]]
            return cls(candidates, content["chosen"], content["seed"], tuple(content["at_edge"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write_table(self, path: Path) -> None:
        """Write every candidate's curve, one line an epoch, at least one a candidate."""
        metrics = sorted(
            {name for each in self.candidates for epoch in each.epochs.values() for name in epoch}
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            keys = list(self.best.values)
            writer = csv.writer(file)
            # The rate of an epoch is a metric, too, and not the candidate's: a schedule changes it.
            named = [f"epoch_{name}" if name in keys else name for name in metrics]
            writer.writerow(
                ["candidate", *keys, "l2", "state", "seconds", "epochs", "epoch", *named]
            )
            for place, each in enumerate(self.candidates):
                state = "chosen" if place == self.chosen else each.state
                length = each.length or ""
                l2 = "" if each.l2 is None else each.l2
                own = [place, *each.values.values(), l2, state, round(each.seconds, 2), length]
                if not each.epochs:
                    writer.writerow(own)
                for epoch, figures in sorted(each.epochs.items()):
                    writer.writerow([*own, epoch, *(figures.get(name, "") for name in metrics)])

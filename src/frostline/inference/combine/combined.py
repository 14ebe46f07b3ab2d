"""What a combination of runs comes to: its scores beside those of the recommended run, in files."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frostline.files import replacing
from frostline.inference.combine.members import Member, Members
from frostline.stats.ensemble_choice import log_loss
from frostline.stats.predictions import Predictions, value_and_influence
from frostline.stats.rules import SCORES
from frostline.stats.two_models import Difference, difference_of
from frostline.tracking.prediction_files import write_predictions

FIGURES_FILE, MEMBERS_FILE = "figures.json", "members.csv"


@dataclass(frozen=True)
class Row:
    """One way to answer, judged.

    Attributes:
        name: Of it.
        n_members: Runs in it.
        val: `loss` and scores on validation, which chose.
        test: The same on test, which judges.
        differences: Score to its difference from the recommended run on test; empty for that run.
    """

    name: str
    n_members: int
    val: dict[str, float]
    test: dict[str, float]
    differences: dict[str, Difference]


@dataclass(frozen=True)
class Combined:
    """Runs of a sweep combined.

    Attributes:
        kind: `ensemble` or `soup`.
        sweep: The sweep's name.
        base: Name of the run that it recommends.
        rows: That run, then the combinations.
        members: Each run that was looked at, and its weight in the chosen combination.
        notes: What was left out and why, in sentences.
        n_images: Test images.
        n_groups: Groups that they form.
        folder: Where the files are.
    """

    kind: str
    sweep: str
    base: str
    rows: tuple[Row, ...]
    members: tuple[tuple[Member, float], ...]
    notes: tuple[str, ...]
    n_images: int
    n_groups: int
    folder: Path

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "kind": self.kind,
            "sweep": self.sweep,
            "recommended": self.base,
            "images": self.n_images,
            "groups": self.n_groups,
            "rows": [asdict(row) for row in self.rows],
            "members": [
                {"run_id": member.record.run_id, "name": member.record.name, "weight": weight}
                for member, weight in self.members
            ],
            "notes": list(self.notes),
            "folder": str(self.folder),
        }


def row_of(
    name: str, n_members: int, val: Predictions, test: Predictions, base: Member | None
) -> Row:
    """Judge one way to answer.

    Args:
        name: Of it.
        n_members: Runs in it.
        val: Its predictions for the validation images.
        test: Its predictions for the test images.
        base: The recommended run; None if it is that alone.
    """
    differences = (
        {} if base is None else {score: difference_of(test, base.test, score) for score in SCORES}
    )
    return Row(name, n_members, _figures(val), _figures(test), differences)


def combined_of(
    kind: str,
    members: Members,
    rows: Sequence[Row],
    weights: Sequence[tuple[Member, float]],
    notes: Sequence[str],
    folder: Path,
) -> Combined:
    """Put rows, members and notes together.

    Args:
        kind: `ensemble` or `soup`.
        members: What was found in the sweep.
        rows: Judged.
        weights: Of each run that was looked at, in the chosen combination.
        notes: Besides those of `members`.
        folder: Where the files are.
    """
    test = members.base.test
    return Combined(
        kind,
        members.sweep.tags.get("frostline.sweep_id", members.sweep.name),
        members.base.record.name,
        tuple(rows),
        tuple(weights),
        (*members.notes(), *notes),
        len(test.items),
        len(np.unique(test.groups)),
        folder,
    )


def write_combined(found: Combined, val: Predictions, test: Predictions) -> None:
    """Write the figures, the members and what the chosen combination predicts.

    Args:
        found: The combination.
        val: Its predictions for the validation images.
        test: Its predictions for the test images.
    """
    found.folder.mkdir(parents=True, exist_ok=True)
    # Written last: earlier figures must not stand beside other predictions.
    (found.folder / FIGURES_FILE).unlink(missing_ok=True)
    with (
        replacing(found.folder / MEMBERS_FILE) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as handle,
    ):
        writer = csv.writer(handle)
        writer.writerow(("run_id", "name", "weight", "val_loss"))
        for member, weight in found.members:
            loss = log_loss(member.val.probs.astype(np.float64), member.val.labels)
            writer.writerow(
                (member.record.run_id, member.record.name, f"{weight:.6g}", f"{loss:.6g}")
            )
    for split, one in (("val", val), ("test", test)):
        write_predictions(
            found.folder / "predictions" / f"{split}.parquet",
            items=one.items.tolist(),
            groups=one.groups.tolist(),
            labels=one.labels,
            probs=one.probs,
        )
    text = json.dumps(found.as_dict(), indent=2, ensure_ascii=False)
    with replacing(found.folder / FIGURES_FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _figures(predictions: Predictions) -> dict[str, float]:
    scores = {score: value_and_influence(predictions, score)[0] for score in SCORES}
    loss = log_loss(predictions.probs.astype(np.float64), predictions.labels)
    return {**scores, "loss": loss}

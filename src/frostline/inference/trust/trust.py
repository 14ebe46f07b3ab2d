"""What is said of an answer besides its classes: a set, calibrated probabilities, a warning."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from frostline.errors import DataError, TrackingError
from frostline.inference.answer import Answer
from frostline.inference.rebuild import Rebuilt
from frostline.inference.trust.coverage import PredictionSets, Share, prediction_sets
from frostline.inference.trust.temperature import (
    Temperature,
    calibration_errors,
    temperature_of,
)
from frostline.inference.trust.unlike import FALSE_ALARMS, Unlike
from frostline.stats.predictions import Predictions
from frostline.tracking.prediction_files import read_predictions
from frostline.tracking.reader import Reader

_SPLITS = ("val", "test")


@dataclass(frozen=True)
class Trust:
    """How far the answers of a run can be trusted.

    Attributes:
        sets: The rule that makes sets of classes.
        temperature: Of the calibrated probabilities.
        unlike: The rule of the warning, or why there is none.
        measured: How often the sets hold the truth on the run's own test images; None if it
            recorded none.
        calibration: The calibration error on them, without and with the temperature; likewise.
    """

    sets: PredictionSets
    temperature: Temperature
    unlike: Unlike | str
    measured: Share | None
    calibration: tuple[float, float] | None

    def answers(self, probs: Tensor, features: NDArray[np.float32], top: int) -> list[Answer]:
        """The answers for images, without their paths.

        Args:
            probs: (B, K) float32, as the network gives them.
            features: (B, F), what its head got.
            top: Number of classes in an answer.
        """
        plain = probs.numpy()
        members = self.sets.members(plain)
        shown = self.temperature.calibrated(plain)
        order = np.argsort(-plain, axis=1, kind="stable")
        unlike = None if isinstance(self.unlike, str) else self.unlike.warned(features)
        return [
            Answer(
                Path(),
                tuple(order[row, :top].tolist()),
                tuple(shown[row, order[row, :top]].tolist()),
                members=tuple(k for k in order[row].tolist() if members[row, k]),
                unlike=None if unlike is None else bool(unlike[row]),
            )
            for row in range(len(plain))
        ]

    def lines(self) -> Iterator[str]:
        """Say how sets, probabilities and warnings were made, and what they were measured to be."""
        sets = self.sets
        yield (
            f"sets of classes that hold the truth in {sets.coverage:.1%} of cases, by "
            f"{sets.n_images} validation images of {sets.n_groups} groups: for images like them"
        )
        if sets.top_alone > sets.coverage:
            yield (
                f"  the most probable class alone is right on {sets.top_alone:.1%} of these, so "
                "most sets are that class alone"
            )
        if self.measured is None:
            yield "  not measured: the run recorded no test predictions"
        else:
            yield (
                f"  measured on the run's {self.measured.n_images} test images of "
                f"{self.measured.n_groups} groups: {self.measured}"
            )
            if self.measured.high < sets.coverage:
                yield (
                    "  WARNING: fewer than asked. Validation images chose the epoch and the rate, "
                    "or test images are of another kind: do not rely on these sets"
                )
        yield from self._calibration_lines()
        if isinstance(self.unlike, str):
            yield f"cannot tell whether a picture is unlike the training images: {self.unlike}"
        else:
            alarms = self.unlike.false_alarms
            yield (
                "unlike_training: yes for pictures whose features are farther from the training "
                f"images' than those of {1 - FALSE_ALARMS:.0%} of validation; false alarms on "
                f"{alarms.n_images} test images: {alarms}"
            )

    def _calibration_lines(self) -> Iterator[str]:
        temperature = self.temperature
        if temperature.why_not:
            yield f"probabilities are not calibrated: {temperature.why_not}"
            return
        text = (
            f"probabilities are calibrated: temperature {temperature.value:.3g}, fitted on "
            f"{temperature.n_images} validation images"
        )
        if self.calibration is not None:
            before, after = self.calibration
            text += f"; calibration error on test {after:.3f}, without it {before:.3f}"
        yield text


def trust_of(predictions: dict[str, Predictions], coverage: float, unlike: Unlike | str) -> Trust:
    """Make the rules from a run's recorded predictions.

    Args:
        predictions: By split; `val` is there.
        coverage: Above 0 and below 1.
        unlike: The rule of the warning, or why there is none.

    Raises:
        ConfigError: If there are too few groups for this coverage.
    """
    sets = prediction_sets(predictions["val"], coverage)
    temperature = temperature_of(predictions["val"])
    test = predictions.get("test")
    has_test = test is not None and len(test.items) > 0
    return Trust(
        sets,
        temperature,
        unlike,
        sets.measured(test) if test is not None and has_test else None,
        calibration_errors(test, temperature) if test is not None and has_test else None,
    )


def recorded_predictions(
    rebuilt: Rebuilt, store: Reader | None, checkpoint: str
) -> dict[str, Predictions]:
    """Read what a run predicted for its validation and test images.

    Args:
        rebuilt: The run.
        store: Where it is recorded; None for a checkpoint.
        checkpoint: The path of that checkpoint; predictions may lie beside it.

    Returns:
        By split; without test where there is none.

    Raises:
        TrackingError: If there are no predictions for validation.
        DataError: If a file is damaged, or has other classes than the run.
    """
    found = {}
    for split in _SPLITS:
        path = _file_of(rebuilt, store, checkpoint, f"predictions/{split}.parquet")
        if path is None and split == "val":
            raise TrackingError(
                f"{rebuilt.name}: it has no recorded predictions for its validation images, which "
                "say how often it errs",
                todo="give the id of a run that Frostline recorded",
            )
        if path is not None:
            found[split] = read_predictions(path)
            _check_classes(found[split], rebuilt, path)
    return found


def _file_of(rebuilt: Rebuilt, store: Reader | None, checkpoint: str, name: str) -> Path | None:
    if store is not None and rebuilt.record is not None:
        try:
            return store.fetch_artifact(rebuilt.record.run_id, name)
        except TrackingError:
            return None
    folder = Path(checkpoint).expanduser().parent
    return next((f / name for f in (folder, folder.parent) if (f / name).is_file()), None)


def _check_classes(predictions: Predictions, rebuilt: Rebuilt, path: Path) -> None:
    n_classes = predictions.probs.shape[1]
    if n_classes != len(rebuilt.classes):
        raise DataError(
            f"{path.name}: its predictions are of {n_classes} classes, and {rebuilt.name} has "
            f"{len(rebuilt.classes)}",
            "the predictions of this run",
        )

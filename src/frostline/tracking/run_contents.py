"""The parts of a run that are not in its record: config, curves, predictions and small texts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from frostline.errors import DataError, TrackingError
from frostline.scratch import ScratchFolder
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord

if TYPE_CHECKING:
    from frostline.stats.predictions import Predictions


CONFIG_FILE = "config.yaml"
# Scores are logged as they were computed in float32.
_MAX_SCORE_GAP = 1e-6


def read_config(store: Reader, record: RunRecord, into: Path | None = None) -> dict[str, Any]:
    """Read a run's config from the store.

    Args:
        store: Where the run is.
        record: The run.
        into: Folder for a download; None means a new temporary folder.

    Raises:
        TrackingError: If the run has none, or it cannot be read.
    """
    return load_config(store.fetch_artifact(record.run_id, CONFIG_FILE, into))


def load_config(path: Path) -> dict[str, Any]:
    """Read a run's config from a file.

    Raises:
        TrackingError: If it cannot be read.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise TrackingError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise TrackingError(f"{path} is not the config of a run")
    return values


class Source(Protocol):
    """Where the parts of a run come from that are not in its record."""

    def curve(self, run_id: str, metric: str) -> Sequence[tuple[int, float]]:
        """The (epoch, value) pairs of a metric in order; empty if there are none."""

    def predictions(self, run_id: str, split: str) -> "Predictions | None":
        """Per-item predictions of `val` or `test`; None if they are missing or cannot be read."""

    def damage(self, run: RunRecord) -> str | None:
        """What is wrong with a run's predictions; None if nothing is, or it has none."""

    def classes(self, run_id: str) -> list[str] | None:
        """Names of the classes; None if they are not recorded."""

    def text(self, run_id: str, path: str) -> str | None:
        """A small artifact; None if there is none."""


class StoreSource:
    """Reads a tracking store; downloads go to a folder that lives as long as this object.

    Args:
        store: The store.
    """

    def __init__(self, store: Reader) -> None:
        self._store = store
        self._folder = ScratchFolder("report")

    def curve(self, run_id: str, metric: str) -> Sequence[tuple[int, float]]:
        """See `Source.curve`."""
        try:
            points = self._store.metric_history(run_id, metric)
        except TrackingError:
            return []
        return [(point.step, point.value) for point in points]

    def predictions(self, run_id: str, split: str) -> "Predictions | None":
        """See `Source.predictions`."""
        from frostline.tracking.prediction_files import read_predictions

        path = self._fetch(run_id, f"predictions/{split}.parquet")
        if path is None:
            return None
        try:
            return read_predictions(path)
        except DataError:
            return None

    def damage(self, run: RunRecord) -> str | None:
        """See `Source.damage`: files are read, their scores held against the logged ones."""
        from frostline.tracking.prediction_files import read_predictions

        for split, prefix in (("val", "val_best"), ("test", "test")):
            path = self._fetch(run.run_id, f"predictions/{split}.parquet")
            if path is None:
                continue
            try:
                predictions = read_predictions(path)
            except DataError as error:
                return error.given
            logged = run.metrics.get(f"{prefix}/acc_micro")
            if logged is None or not len(predictions.items):
                continue
            own = float(predictions.correct.mean())
            if abs(own - logged) > _MAX_SCORE_GAP + predictions.n_ties / len(predictions.items):
                return (
                    f"{path.name}: its predictions are {own:.4%} right, but {logged:.4%} was logged"
                )
        return None

    def classes(self, run_id: str) -> list[str] | None:
        """See `Source.classes`."""
        text = self.text(run_id, "predictions/classes.json")
        try:
            return [str(name) for name in json.loads(text)["classes"]] if text else None
        except (ValueError, KeyError, TypeError):
            return None

    def text(self, run_id: str, path: str) -> str | None:
        """See `Source.text`."""
        file = self._fetch(run_id, path)
        return None if file is None else file.read_text(errors="replace")

    def _fetch(self, run_id: str, path: str) -> Path | None:
        try:
            return self._store.fetch_artifact(run_id, path, self._folder.path / run_id)
        except TrackingError:
            return None

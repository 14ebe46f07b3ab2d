"""One recorder for all runs: what a training leaves in MLflow, however it was carried out.

A run by itself and a head that trained in a group hand over the same things in the same order, so
that their records hold the same parameters, metrics, tags and files.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.spec import InputSpec
from frostline.backbones.split.cut import Cut
from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.checks.cached_checks import cached_leaks, cached_page
from frostline.data.image_datamodule import ImageDataModule
from frostline.data.sample_table import SampleTable
from frostline.data.split_file import save_splits
from frostline.data.splits import Splits, split_digest
from frostline.training.checkpoint import digest_path
from frostline.training.engine import Engine
from frostline.training.schedule import Phase, phases_text
from frostline.training.tuning_choice import TABLE, Tuning

if TYPE_CHECKING:
    from frostline.training.rung import Rung


class RunLog(Protocol):
    """What the recorder needs of a run in MLflow: frostline.tracking.tracked_run.Run has it."""

    def set_tags(self, tags: Mapping[str, Any]) -> None: ...  # noqa: D102
    def log_params(self, params: Mapping[str, Any]) -> None: ...  # noqa: D102
    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None: ...  # noqa: D102
    def log_dict(self, values: Mapping[str, Any], path: str) -> None: ...  # noqa: D102
    def log_artifact(self, path: Path, folder: str = "") -> None: ...  # noqa: D102
    def log_dataset(  # noqa: D102
        self, name: str, *, digest: str, source: str, profile: Mapping[str, Any]
    ) -> None: ...
    def batched(self) -> AbstractContextManager[None]: ...  # noqa: D102
    def flush(self) -> None: ...  # noqa: D102


class CurveLog:
    """A run without a record in MLflow, of which only the metrics of each epoch are kept.

    Args:
        on_metrics: Receives metrics and their step.
    """

    def __init__(self, on_metrics: Callable[[Mapping[str, float], int], None]) -> None:
        self._on_metrics = on_metrics

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Hand them on."""
        self._on_metrics(metrics, step)

    def set_tags(self, tags: Mapping[str, Any]) -> None: ...  # noqa: D102
    def log_params(self, params: Mapping[str, Any]) -> None: ...  # noqa: D102
    def log_dict(self, values: Mapping[str, Any], path: str) -> None: ...  # noqa: D102
    def log_artifact(self, path: Path, folder: str = "") -> None: ...  # noqa: D102
    def log_dataset(  # noqa: D102
        self, name: str, *, digest: str, source: str, profile: Mapping[str, Any]
    ) -> None: ...
    def batched(self) -> AbstractContextManager[None]:  # noqa: D102
        return nullcontext()

    def flush(self) -> None: ...  # noqa: D102


def _nothing() -> None:
    """What a run keeps that has no checkpoints."""


@dataclass(frozen=True)
class TrainedRun:
    """A run that has been trained, chosen on validation and tested once.

    Attributes:
        metrics: At the chosen epoch: `val_best/...`, `test/...` and `time/...`.
        step: The step of these metrics in MLflow: epochs that were trained.
        table: All images.
        data: The run's images by split.
        backbone: With the chosen weights.
        head: With the chosen weights.
        engine: Where the run computed.
        history: Metric to its value at each epoch.
        predictions: Folder with val.parquet and test.parquet.
        checkpoint: File of the chosen weights.
        logs: Folder of logs for other tools; it may be missing.
        keep: Writes what a run that fails from here on goes on from.
    """

    metrics: Mapping[str, float]
    step: int
    table: SampleTable
    data: ImageDataModule
    backbone: Backbone
    head: nn.Sequential
    engine: Engine
    history: Mapping[str, Mapping[int, float]]
    predictions: Path
    checkpoint: Path
    logs: Path
    keep: Callable[[], None] = _nothing


class RunRecorder:
    """Writes one run into MLflow.

    Args:
        run: The run's record, already open.
        folder: The job's output folder, where files are made before they are logged.
    """

    def __init__(self, run: RunLog, folder: Path) -> None:
        self._run = run
        self._folder = folder

    def batched(self) -> AbstractContextManager[None]:
        """A block whose entries are sent together at its end."""
        return self._run.batched()

    def record_parts(
        self,
        *,
        backbone: Backbone,
        cut: Cut,
        phases: tuple[Phase, ...],
        table: SampleTable,
        splits: Splits,
        trainable_params: int,
    ) -> None:
        """Record what the run is made of, before it trains.

        Args:
            backbone: With its weights as loaded.
            cut: Frozen to the depth of the last phase.
            phases: Which depth is frozen when.
            table: All images.
            splits: The run's splits.
            trainable_params: Values in all parameters that train in any phase.
        """
        weights = backbone.weights
        found = {
            "frostline.weights_path": weights.path,
            "frostline.weights_adapted": weights.adapted,
            "frostline.weights_partial": weights.partial,
            "frostline.channels": _channels_text(backbone.input),
        }
        self._run.set_tags(
            {
                "frostline.weights_source": weights.source,
                "frostline.weights_digest": weights.digest,
                "frostline.weights_file_digest": weights.file_digest,
                "frostline.phases": phases_text(phases),
            }
            | {tag: text for tag, text in found.items() if text}
        )
        self._record_data(table, splits)
        self._run.log_params(
            {
                "image_size": backbone.input.size_label,
                "frozen_stages": cut.depth.frozen_stages,
                "frozen_params_frac": round(cut.depth.frozen_params_frac, 6),
                "frozen_flops_frac": round(cut.depth.frozen_flops_frac, 6),
                "trainable_params": trainable_params,
            }
            | ({"weights_partial": weights.partial} if weights.partial else {})
        )

    def _record_data(self, table: SampleTable, splits: Splits) -> None:
        """Record the data set, which image stands in which split, and what the checks found."""
        run = self._run
        run.set_tags(
            {
                "frostline.data_fingerprint": table.fingerprint,
                "frostline.split_digest": split_digest(table, splits),
            }
        )
        if table.value_range is not None:
            run.set_tags({"frostline.value_range": json.dumps(table.value_range)})
        profile = table.profile() | {
            "splits": {name: len(rows) for name, rows in splits.named().items()},
            "split_file": "splits.csv",
        }
        leaks = [
            {"found": f"{one.title}: {one.text}", "share": one.share}
            for one in cached_leaks(table, splits)
        ]
        run.log_dict(profile | {"leaks": leaks}, "data.json")
        run.log_dataset(table.name, digest=table.fingerprint, source=table.source, profile=profile)
        save_splits(self._folder / "splits.csv", table, splits)
        run.log_artifact(self._folder / "splits.csv")
        page = cached_page(table, splits)
        if page is not None:
            run.log_artifact(page)

    def record_phase(self, *, engine: str, reuse: str, number: int | None = None) -> None:
        """Record how a phase computes.

        Args:
            engine: Device and precision, as `OpenPhase.engine_text` gives them.
            reuse: Whether stored features are used, and why.
            number: Of the phase, from 1; None for the last or only one.
        """
        suffix = "" if number is None else f"_phase{number}"
        self._run.set_tags({"frostline.engine": engine, f"frostline.reuse{suffix}": reuse})

    def record_phases(self, phases: tuple[Phase, ...]) -> None:
        """Record where phases ended that may end early, and what is left of the plan."""
        self._run.set_tags({"frostline.phases": phases_text(phases)})

    def record_epoch(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Record an epoch's `train/loss`, `val/...`, `lr` and frozen stages; send what was held."""
        self._run.log_metrics(metrics, epoch)
        self._run.flush()

    def record_tuning(self, tuning: Tuning, *, how: str) -> None:
        """Record what was chosen, from which candidates, and the epochs that the chosen one has.

        Args:
            tuning: The choice.
            how: How its candidates were trained, in words.
        """
        values = dict(tuning.best.values)
        self._run.log_params(values)
        self._run.set_tags(tuning.tags() | {"frostline.tuned_by": how})
        tuning.write_table(self._folder / TABLE)
        self._run.log_artifact(self._folder / TABLE)

    def record_rung(self, rung: "Rung") -> None:
        """Record how a run that pauses stands on validation: a file, and tags with the scores.

        No metrics: those of its best epoch are logged once, at its end.
        """
        self._run.log_artifact(rung.predictions, rung.predictions.parent.name)
        scores = {name: round(value, 6) for name, value in rung.scores.items()}
        self._run.set_tags({"frostline.rung": json.dumps({"epochs": rung.epochs, **scores})})

    def record_frozen(self, digest: str) -> None:
        """Record the digest of all that stayed frozen from the first epoch to the last."""
        self._run.set_tags({"frostline.frozen_digest": digest})

    def record_result(self, trained: TrainedRun) -> None:
        """Record figures, predictions, the chosen weights and logs."""
        run = self._run
        run.log_metrics(trained.metrics, trained.step)
        run.log_dict({"classes": list(trained.table.classes)}, "predictions/classes.json")
        run.log_artifact(trained.predictions)
        for file in (trained.checkpoint, digest_path(trained.checkpoint)):
            run.log_artifact(file, "checkpoints")
        if trained.logs.is_dir():
            run.log_artifact(trained.logs)

    def record_evidence(
        self, metrics: Mapping[str, float], evidence: Path, trained: TrainedRun
    ) -> None:
        """Record figures and files of the evidence; there may be none."""
        self._run.log_metrics(metrics, trained.step)
        if evidence.is_dir():
            self._run.log_artifact(evidence)


def _channels_text(spec: InputSpec) -> str:
    """How images of other channels than colour are normalised; empty for colour."""
    if spec.in_chans == RGB_CHANNELS:
        return ""
    return f"{spec.in_chans}, mean {spec.mean}, deviation {spec.std}"

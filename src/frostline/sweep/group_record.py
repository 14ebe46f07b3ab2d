"""What a job of a group leaves on its run: the same as a job that was trained by itself."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.config.schema import Settings

if TYPE_CHECKING:
    from frostline.tracking.tracked_run import Run
    from frostline.training.head_group import GroupedJob, GroupOutcome, SplitLogits


class GroupRecord:
    """Writes the records of a group's jobs; what is alike for all of them is made once.

    Args:
        trained: What the group came to.
        on_progress: Receives `text=` where a part of the evidence is missing.
    """

    def __init__(self, trained: "GroupOutcome", on_progress: Callable[..., None]) -> None:
        self._trained = trained
        self._on_progress = on_progress

    def write(
        self, number: int, settings: Settings, folder: Path, tracked: "Run", *, train_s: float
    ) -> dict[str, float]:
        """Write one job's record.

        Args:
            number: The job's place in the group.
            settings: The job.
            folder: Its output folder.
            tracked: Its run, which stays open.
            train_s: Its share of the seconds that the group took.

        Returns:
            The figures at the chosen epoch, `val_best/...`, `test/...` and `time/train_s`.

        Raises:
            TrainingDivergedError: If the job's loss became NaN or infinite.
        """
        from frostline.training.data_record import record_data
        from frostline.training.learning_rates import lr_factor
        from frostline.training.schedule import phases_of

        trained, job = self._trained, self._trained.jobs[number]
        backbone, parts = trained.backbone, trained.parts
        folder.mkdir(parents=True, exist_ok=True)
        phases = phases_of(
            settings.schedule,
            freeze=settings.freeze,
            frozen_stages=parts.frozen_stages,
            num_stages=parts.num_stages,
            epochs=settings.epochs,
        )
        together = f"{len(trained.jobs)} heads trained together"
        with tracked.at_once():
            tracked.set_tags(
                {
                    "frostline.weights_source": backbone.weights.source,
                    "frostline.weights_digest": backbone.weights.digest,
                    "frostline.phases": "; ".join(map(str, phases)),
                    "frostline.engine": "cpu 32-true, frozen stages 32-true",
                    "frostline.reuse": f"{trained.decision}; {together}",
                }
            )
            record_data(tracked, trained.table, trained.data[number].splits, folder)
            tracked.log_params(
                {
                    "image_size": backbone.input.size_px,
                    "frozen_stages": parts.frozen_stages,
                    "frozen_params_frac": round(parts.frozen_params_frac, 6),
                    "frozen_flops_frac": round(parts.frozen_flops_frac, 6),
                    "trainable_params": trained.trainable_params(number),
                }
            )
            steps = trained.steps_per_epoch(number)
            factor = lr_factor(
                settings.lr_schedule, total_steps=steps * settings.epochs, steps_per_epoch=steps
            )
            for epoch, values in enumerate(job.history):
                rate = {"lr": settings.lr * factor(epoch * steps)}
                frozen = {"schedule/frozen_stages": float(parts.frozen_stages)}
                tracked.log_metrics(values | rate | frozen, epoch)
        _stop_if_diverged(job)
        tracked.set_tags({"frostline.frozen_digest": self._frozen_digest})
        return self._write_results(number, settings, folder, tracked, train_s)

    @cached_property
    def _frozen_digest(self) -> str:
        """The frozen stages after training.

        Raises:
            FrozenMovedError: If they differ from what they were before.
        """
        return self._trained.frozen_digest()

    def _write_results(
        self, number: int, settings: Settings, folder: Path, tracked: "Run", train_s: float
    ) -> dict[str, float]:
        from frostline.inference.explain.run_evidence import write_run_evidence
        from frostline.training.checkpoint import digest_path, save_checkpoint
        from frostline.training.engine import choose_engine

        trained, job = self._trained, self._trained.jobs[number]
        epochs = len(job.history)
        predictions = folder / "predictions"
        for split, said in (("val", job.val), ("test", job.test)):
            assert said is not None
            self._write_predictions(predictions / f"{split}.parquet", said)
        figures = job.figures | {"time/train_s": train_s}
        tracked.log_metrics(figures, step=epochs)
        tracked.log_dict({"classes": list(trained.table.classes)}, "predictions/classes.json")
        tracked.log_artifact(predictions)
        checkpoint = folder / "best.ckpt"
        save_checkpoint(self._checkpoint(number), checkpoint)
        for file in (checkpoint, digest_path(checkpoint)):
            tracked.log_artifact(file, "checkpoints")
        evidence = folder / "evidence"
        more = write_run_evidence(
            settings.evidence.name,
            evidence,
            head=trained.heads[number],
            backbone=trained.backbone,
            pool=settings.head.pool,
            data=trained.data[number],
            predictions=predictions,
            checkpoint=checkpoint,
            history=_by_metric(job.history),
            engine=choose_engine(settings.trainer),
            on_progress=self._on_progress,
        )
        tracked.log_metrics(more, step=epochs)
        if evidence.is_dir():
            tracked.log_artifact(evidence)
        for file in (checkpoint, digest_path(checkpoint)):
            file.unlink()  # it lies with the run now, as that of a job by itself does
        return figures

    def _write_predictions(self, path: Path, said: "SplitLogits") -> None:
        from frostline.tracking.predictions import write_predictions
        from frostline.training.metrics import probabilities

        table = self._trained.table
        rows: Any = said.items.numpy()
        write_predictions(
            path,
            items=[table.items[row] for row in rows.tolist()],
            groups=[str(group) for group in table.groups[rows]],
            labels=said.labels.numpy(),
            probs=probabilities(said.logits).numpy(),
        )

    def _checkpoint(self, number: int) -> dict[str, Any]:
        """As Lightning's `save_weights_only` writes it."""
        from importlib.metadata import version

        job = self._trained.jobs[number]
        return {
            "epoch": job.best_epoch,
            "global_step": (job.best_epoch + 1) * self._trained.steps_per_epoch(number),
            "pytorch-lightning_version": version("pytorch-lightning"),
            "state_dict": self._trained.task_state(number),
        }


def _stop_if_diverged(job: "GroupedJob") -> None:
    from frostline.training.task import TrainingDivergedError

    if job.diverged:
        raise TrainingDivergedError(
            f"the training loss was not finite any more in epoch {len(job.history)}",
            todo="lower lr, or use trainer.precision=32-true",
        )


def _by_metric(history: list[dict[str, float]]) -> dict[str, dict[int, float]]:
    values: dict[str, dict[int, float]] = {}
    for epoch, figures in enumerate(history):
        for name, value in figures.items():
            values.setdefault(name, {})[epoch] = value
    return values

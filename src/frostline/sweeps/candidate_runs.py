"""How the candidates of a tuned job are trained: all of them for a choice, one for a first look."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.config.schema import Settings
from frostline.config.search_settings import FIRST_LOOK
from frostline.config.tune_grid import grid_of, on_tuning_seed, with_values
from frostline.sweeps.distributed_run import on_all_ranks
from frostline.training.deadline import check_deadline

if TYPE_CHECKING:
    from frostline.tracking.tracked_run import Run
    from frostline.training.fit import Fitted
    from frostline.training.rung import Rung
    from frostline.training.tuning_choice import Tuning

OnProgress = Callable[..., None]
OnEpoch = Callable[[Mapping[str, float], int], None]


class CandidateRuns:
    """Trains candidates under the run of their job, which records none of their epochs.

    Args:
        settings: The job.
        folder: Where its results are left.
        run: Its run, open.
        on_progress: Receives progress.
    """

    def __init__(
        self, settings: Settings, folder: Path, run: "Run", on_progress: OnProgress
    ) -> None:
        self._settings, self._folder, self._run = on_tuning_seed(settings), folder, run
        self._on_progress = on_progress
        self._epoch_s: float | None = None  # of the candidate before
        self._first_part = 0

    def tune(self, place: Path) -> "Tuning":
        """Train all candidates equally far and choose.

        Args:
            place: Where candidates and choice are kept.
        """
        from frostline.training.tuning import tune

        self._first_part = first_part_of(self._settings)
        return tune(
            self._settings,
            place,
            self._train,
            until=self._first_part,
            on_progress=self._on_progress,
        )

    def first_look(self, place: Path) -> "Rung | None":
        """Train the middle candidate as far as all would be trained; nothing is chosen.

        Args:
            place: Where candidates are kept; the choice goes on with this one.

        Returns:
            Its predictions on validation; None if it diverged, which says nothing of the others.
        """
        from frostline.training.run import judged
        from frostline.training.rung import rung_file
        from frostline.training.tuning import candidate_folder, train_middle

        until = self._first_part = first_part_of(self._settings)
        fitted: Fitted | None = None

        def train(own: Settings, work: Path, until: int, on_epoch: OnEpoch) -> int:
            nonlocal fitted
            fitted = self._fit(own, work, until, on_epoch)
            return len(fitted.run.table.classes)

        middle = train_middle(self._settings, place, train, until=until)
        if middle.state == "diverged":
            return None
        if fitted is None:  # an earlier process trained it
            own = with_values(self._settings, middle.values)
            fitted = self._fit(own, candidate_folder(place, middle.values), until, _unheard)
        return judged(fitted, rung_file(self._folder, FIRST_LOOK), FIRST_LOOK)

    def _train(self, own: Settings, work: Path, until: int, on_epoch: OnEpoch) -> int:
        return len(self._fit(own, work, until, on_epoch).run.table.classes)

    def _fit(self, own: Settings, work: Path, until: int, on_epoch: OnEpoch) -> "Fitted":
        from frostline.training.recorder import CurveLog, RunRecorder
        from frostline.training.run import fit_candidate
        from frostline.training.rung import PauseAtDeadline

        check_deadline(own.sweep.deadline_s, needs_s=self._epoch_s or 0.0)
        deadline = PauseAtDeadline(own.sweep.deadline_s, self._epoch_s)
        recorder = RunRecorder(CurveLog(on_epoch), self._folder)
        all_train = until <= self._first_part  # then the two best, where they are close
        candidates = with_same_images(self._settings) if all_train else 2
        heard = partial(self._on_progress, candidate=f"lr={own.peak_lr:.3g}")
        fitted = on_all_ranks(
            own,
            work,
            self._run,
            lambda one: fit_candidate(
                one, self._folder, work, recorder, heard, until=until, candidates=candidates,
                watching=[deadline],
            ),
            until=until,
        )  # fmt: skip
        self._epoch_s = deadline.epoch_s
        return fitted


def with_same_images(settings: Settings) -> int:
    """How many candidates of a job train on the same batches of images, behind the same stages.

    Args:
        settings: The job, with nothing chosen.
    """
    others = ("batch_size", "mix.", "schedule.")
    grid = grid_of(settings)
    return math.prod(len(values) for key, values in grid.items() if not key.startswith(others))


def first_part_of(settings: Settings) -> int:
    """Epochs that all candidates of a job train, before one is chosen.

    Reads the data set, for the number of its training images.
    """
    from frostline.backbones.build import check_freeze
    from frostline.data.load import load_table, split_of

    depth = check_freeze(settings.backbone, settings.freeze, settings.image_size, settings.in_chans)
    table = load_table(settings.data, in_chans=settings.in_chans)
    n_train = len(split_of(table, settings.data, seed=settings.seed).train)
    return epochs_to_judge(settings, depth.prefix_stages, depth.num_stages, n_train)


def epochs_to_judge(settings: Settings, prefix_stages: int, num_stages: int, n_train: int) -> int:
    """Epochs of a job before which nothing can be said of it: see `candidate.first_part`.

    Args:
        settings: The job.
        prefix_stages: Of its depth.
        num_stages: Of its backbone.
        n_train: Images that it trains on.
    """
    from frostline.training.candidate import first_part
    from frostline.training.schedule import phases_of

    phases = phases_of(
        settings.schedule,
        freeze=settings.freeze,
        prefix_stages=prefix_stages,
        num_stages=num_stages,
        epochs=settings.epochs,
    )
    return first_part(
        phases, share=settings.tune.first_frac, steps_per_epoch=steps_of(n_train, settings)
    )


def steps_of(n_train: int, settings: Settings) -> int:
    """Steps of the optimiser in an epoch, for so many training images."""
    return math.ceil(n_train / (settings.batch_size * settings.trainer.accumulate_grad_batches))


def _unheard(metrics: Mapping[str, float], epoch: int) -> None:
    """Epochs of a candidate that are known already."""

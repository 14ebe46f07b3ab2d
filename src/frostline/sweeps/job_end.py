"""How a job's run ends, and what is then known of it."""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from frostline.config.schema import Settings
from frostline.errors import DeadlineError, FrostlineError
from frostline.plugins.part import own_line
from frostline.redact import redacted
from frostline.sweeps.failures import after_training, hint_for, is_not_trainings_own
from frostline.sweeps.job_record import swept_params
from frostline.sweeps.outcome import BUDGET_SPENT, RESUMABLE, Outcome
from frostline.sweeps.signals import StopSignalError
from frostline.tracking.records import SOLVER

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run


@dataclass
class End:
    """How a run ends if nothing goes wrong.

    Attributes:
        waits: What a run that pauses waits for; empty for one that is finished.
    """

    waits: str = ""


@contextmanager
def ending(run: "Run") -> Iterator[End]:
    """Give a run an end state, however the block ends; a spent budget ends the block as a pause.

    Raises:
        JobError: In place of an error of a library whose cause is known well enough for advice.
    """
    end = End()
    try:
        yield end
        with after_training():
            run.raise_if_lost()
    except StopSignalError as stop:
        run.finish("KILLED", f"stopped by {stop.name}")
        raise
    except DeadlineError:
        end.waits = BUDGET_SPENT
    except BaseException as error:
        _record_failure(run, error)
        hint = hint_for(error)
        if hint is not None and not isinstance(error, FrostlineError):
            raise JobError(reason_of(error), todo=hint) from error
        if own_line(error) and isinstance(error, Exception | SystemExit):
            raise JobError(reason_of(error)) from error
        raise
    run.finish("SCHEDULED" if end.waits else "FINISHED", end.waits)


class JobError(FrostlineError):
    """A failure whose cause is known well enough to say what to do."""


def _record_failure(run: "Run", error: BaseException) -> None:
    """End a run as failed, with the trace and, where the cause is known, what to do."""
    from frostline.training.task import TrainingDivergedError

    run.log_text(redacted(traceback.format_exc()), "traceback.txt")
    tags = {
        "frostline.failure_kind": type(error).__name__,
        RESUMABLE: str(is_not_trainings_own(error)).lower(),
    }
    if isinstance(error, TrainingDivergedError):
        tags["frostline.diverged"] = "true"
    hint = hint_for(error)
    if hint is not None:
        tags["frostline.hint"] = hint
    run.set_tags(tags)
    run.finish("FAILED", reason_of(error))


def reason_of(error: BaseException) -> str:
    """An error in one line or a few; ours without their class, with the line of own code."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, FrostlineError):
        return text
    place = own_line(error)
    return redacted(f"{f'{place}: ' if place else ''}{type(error).__name__}: {text}")


def outcome_of(record: "RunRecord", settings: Settings, state: str) -> Outcome:
    """The outcome of a job that has a finished run.

    Args:
        record: The run.
        settings: The job.
        state: `done` or `reused`.
    """
    return Outcome(
        digest=settings.sweep.job_digest or "",
        name=record.name,
        state=state,
        run_id=record.run_id,
        params=dict(record.params),
        metrics=dict(record.metrics),
        is_solved=SOLVER in record.tags,
    )


def read_outcome(
    store: "Store", run: "Run", settings: Settings, metrics: Mapping[str, float]
) -> Outcome:
    """The outcome of a run that has just finished, as far as it is known while the store is away.

    Args:
        store: Where the run is recorded.
        run: The run.
        settings: The job.
        metrics: Of the chosen epoch.
    """
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store_errors import StoreUnavailableError

    try:
        record = store.get_run(run.run_id)
    except StoreUnavailableError:
        params = {key: str(value) for key, value in swept_params(settings).items()}
        record = RunRecord(
            run.run_id, run.name, store.experiment, "FINISHED", params, metrics, {}, 0, None
        )
    return outcome_of(record, settings, "done")

"""What a command may take: checked before its first job, and counted in epochs."""

import math
from collections.abc import Sequence

from frostline.config.schema import Settings
from frostline.config.search_settings import FIRST_LOOK, Budget, RaceSearch, budget_of
from frostline.config.tune_grid import is_tuned, on_tuning_seed
from frostline.errors import ConfigError
from frostline.sweeps.estimate import epochs_of_tuning, estimate, first_rung
from frostline.sweeps.plan import PlannedJob
from frostline.sweeps.progress import clock
from frostline.sweeps.race_cells import cells_of
from frostline.sweeps.sharing import trains_heads_together
from frostline.tracking.records import RunRecord


def looks_first(job: PlannedJob) -> bool:
    """Whether one candidate of a job can be looked at before all of them are trained."""
    settings = job.settings
    return (
        is_tuned(settings)
        and on_tuning_seed(settings).seed == settings.seed
        and not trains_heads_together(job)
    )


def epochs_left(job: PlannedJob, done: int, until: int | None, *, is_seen: bool = False) -> float:
    """Epochs that a job still trains, its candidates' included.

    Args:
        job: The job.
        done: Epochs that it has behind it; its cell has chosen its values then.
        until: Where it pauses; None for its end, FIRST_LOOK for one of its candidates.
        is_seen: Whether one of its candidates has been looked at.
    """
    if trains_heads_together(job):
        return 0.0 if done else float(job.settings.epochs)
    target = job.settings.epochs if until is None else min(until, job.settings.epochs)
    if done or not looks_first(job):
        return max(0, target - done)
    first = first_rung(job)
    if until == FIRST_LOOK:
        return 0.0 if is_seen else first
    all_candidates = first + (epochs_of_tuning(job) or 0)
    return all_candidates + max(0, target - first) - (first if is_seen else 0)


def epochs_to_end(job: PlannedJob, until: int | None) -> float:
    """Epochs from a pause to a job's end, its other candidates' included.

    Args:
        job: The job.
        until: Where it pauses, as in `epochs_left`.
    """
    if until is None:
        return 0.0
    is_look = until == FIRST_LOOK
    return epochs_left(job, 0 if is_look else until, None, is_seen=is_look)


def reserve_s(budget_s: float) -> float:
    """What is kept of a budget for the report and the end of the last epoch, seconds."""
    return min(0.1 * budget_s, 20.0)


def deadline_of(budget: Budget, begun_s: float, share: float = 1.0) -> float | None:
    """When jobs pause at the latest, seconds since 1970; None for never.

    Args:
        budget: Of the command.
        begun_s: When it began, seconds since 1970.
        share: Of the budget's time that jobs may take.
    """
    if math.isinf(budget.seconds):
        return None
    return begun_s + share * (budget.seconds - reserve_s(budget.seconds))


def check_search(
    jobs: Sequence[PlannedJob], todo: Sequence[PlannedJob], runs: Sequence[RunRecord]
) -> None:
    """Check a race and a budget against the plan, before the first job.

    Args:
        jobs: All jobs of the command, each once.
        todo: Those that are to run.
        runs: Finished runs, from which times are known.

    Raises:
        ConfigError: If the race has nothing to compare, cannot pause its jobs, or the budget is
            below what the plan, or its first job, is known to take.
    """
    first = jobs[0].settings
    if isinstance(first.search, RaceSearch):
        _check_race(jobs, first)
    _check_budget(todo, budget_of(first.budget), runs, is_race=isinstance(first.search, RaceSearch))


def _check_race(jobs: Sequence[PlannedJob], first: Settings) -> None:
    if len(cells_of(jobs)) < 2:
        raise ConfigError(
            "search=race with one cell: there is nothing to compare it with",
            "two configurations or more",
            "sweep something besides the seed, such as -m freeze=0,2,4; or search=grid",
        )
    if first.data.folds is not None:
        raise ConfigError(
            f"search=race with data.folds={first.data.folds}: a race adds seeds one by one, and "
            "folds of one data set are judged together",
            "search=grid, or a race without folds",
        )
    if first.rerun:
        raise ConfigError(
            "search=race with rerun=true: a race goes on with the runs that are there",
            todo="leave one of them out",
        )
    if first.tracking.offline:
        raise ConfigError(
            "search=race with tracking.offline=true: a race reads its runs from the store",
            todo="leave one of them out",
        )
    if first.trainer.strategy == "ddp":
        raise ConfigError(
            "search=race with trainer=ddp: runs on several processes cannot pause",
            "trainer=auto",
            "take search=grid, or one device a job",
        )


def _check_budget(
    todo: Sequence[PlannedJob], budget: Budget, runs: Sequence[RunRecord], *, is_race: bool
) -> None:
    if budget.is_none or not todo:
        return
    costs = [estimate([job], runs) for job in todo]
    seconds = [cost.known_s if not cost.unknown_jobs else math.nan for cost in costs]
    epochs = [epochs_left(job, 0, None) for job in todo]
    known_s = sum(one for one in seconds if not math.isnan(one))
    if not is_race and (known_s > budget.seconds or sum(epochs) > budget.epochs):
        needs = f"{sum(epochs):g} epochs" if math.isinf(budget.seconds) else clock(known_s)
        raise ConfigError(
            f"budget: the grid is expected to take {needs}, which is more",
            todo="let cells race under it: search=race; or give a larger budget, or fewer jobs",
        )
    least_s = min((one for one in seconds if not math.isnan(one)), default=0.0)
    if least_s > budget.seconds or min(epochs) > budget.epochs:
        needs = f"{min(epochs):g} epochs" if math.isinf(budget.seconds) else clock(least_s)
        raise ConfigError(
            f"budget: the shortest job is expected to take {needs}, which is more",
            todo="give a larger budget, fewer epochs, or a smaller image_size",
        )

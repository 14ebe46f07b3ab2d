"""A run without a sweep: checked, executed in this process, shown like a sweep of one."""

import math
import sys
from collections.abc import Mapping
from pathlib import Path

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from rich.console import Console

from frostline.advice.auto_strategy import with_choice
from frostline.config.read import settings_of
from frostline.config.schema import Settings
from frostline.errors import ConfigError
from frostline.sweeps import summary
from frostline.sweeps.answered import answer, may_be_answered
from frostline.sweeps.data_ahead import reading_ahead
from frostline.sweeps.execute import execute
from frostline.sweeps.farewell import commands_for_run
from frostline.sweeps.job import Job
from frostline.sweeps.job_runs import experiment_of
from frostline.sweeps.outcome import Outcome
from frostline.sweeps.plan import PlannedJob, plan_job, with_first_seeds
from frostline.sweeps.preflight import check_jobs
from frostline.sweeps.progress import SweepProgress
from frostline.sweeps.registering import check_register, register
from frostline.sweeps.sharing import sharing_of, stores_epochs
from frostline.sweeps.standing import open_to_plan, standing_of
from frostline.sweeps.terminal import output_console, print_prose


def run_single(settings: Settings, folder: Path) -> float:
    """Check one run, execute it, print its row.

    Args:
        settings: The run.
        folder: Its output folder.

    Returns:
        The metric that chose the best epoch, at that epoch; NaN for a dry run.
    """
    console = Console(file=sys.stderr, soft_wrap=True, highlight=False)

    def on_text(text: str) -> None:
        print_prose(console, text)

    check_register(settings)
    _check_no_search(settings)
    found = answer([((), settings)], is_sweep=False) if may_be_answered(settings) else None
    if found is not None:
        on_text("\n".join(found.texts))
        return _shown(found.outcomes[0], settings, folder)
    _check_server(settings)
    console.print("checking the run (loading PyTorch and timm takes some seconds)")
    if settings.strategy.asks_for_choice:
        from frostline.advice.choose import choose_strategies

        (choice,) = choose_strategies([settings], on_progress=on_text)
        settings = with_choice(HydraConfig.get().overrides.task, settings, choice, _recompose)
    with reading_ahead([settings]):
        (facts,) = check_jobs([settings], on_progress=on_text)
    (settings,) = with_first_seeds([settings])
    planned = plan_job(0, (), settings, facts)
    if settings.dry_run:
        standing = standing_of([planned], open_to_plan(settings), rerun=settings.rerun)
        on_text("\n".join([*standing.lines(), *standing.job_lines()]))
        return math.nan
    return _shown(_executed(planned, folder), planned.settings, folder)


def _shown(outcome: Outcome, settings: Settings, folder: Path) -> float:
    """Print how the run ended; returns the metric that chose its best epoch."""
    output = output_console()
    summary.show([outcome], output, title=outcome.name)
    output.print(commands_for_run(outcome.run_id), markup=False)
    if settings.register_as:
        output.print(register(settings, outcome.run_id, folder / "registered"), markup=False)
    return chosen_metric(settings, outcome.metrics)


def _executed(planned: PlannedJob, folder: Path) -> Outcome:
    (shared,) = sharing_of([planned])
    sweep = planned.settings.sweep.model_copy(
        update={
            "job_digest": planned.digest,
            "group": shared.group,
            **planned.facts.inputs(),
        }
    )
    job = Job(planned.settings.model_copy(update={"sweep": sweep}), folder, env={})
    with SweepProgress(total=1, numbered=False) as progress:
        progress.start(planned.settings.run_name)
        outcome = execute(job, on_progress=lambda **values: progress.event(values))
        progress.done(None)
    if stores_epochs(planned):
        from frostline.features.ended_sweep import remove_epochs

        remove_epochs(planned.digest)
    return outcome


def chosen_metric(settings: Settings, metrics: Mapping[str, float]) -> float:
    """The metric that chose the best epoch, at that epoch."""
    return metrics[settings.callbacks.monitor.replace("val/", "val_best/")]


def _check_no_search(settings: Settings) -> None:
    """A race and a budget are about several jobs.

    Raises:
        ConfigError: If one of them is asked for.
    """
    if settings.search.name != "grid" or settings.budget is not None:
        word = f"budget={settings.budget}" if settings.budget else f"search={settings.search.name}"
        raise ConfigError(
            f"{word} for a single run: it is about the jobs of a sweep",
            todo="sweep something: -m freeze=0,2,4; or leave it out",
        )


def _check_server(settings: Settings) -> None:
    """Ask a tracking server before anything is loaded: it may be away, or the address wrong.

    Raises:
        TrackingError: If no runs can be recorded there.
    """
    from frostline.tracking.address import resolve_address
    from frostline.tracking.store import open_store

    tracking = settings.tracking
    if resolve_address(tracking.uri, Path.cwd()).database is None:
        open_store(tracking.uri, experiment_of(settings), offline=tracking.offline)


def _recompose(overrides: list[str]) -> Settings:
    """Settings from other overrides of this same command."""
    name = HydraConfig.get().job.config_name
    return settings_of(compose(name, overrides=overrides))

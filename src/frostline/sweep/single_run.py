"""A run without a sweep: checked, executed in this process, shown like a sweep of one."""

import math
from collections.abc import Mapping
from pathlib import Path

from hydra import compose
from hydra.core.hydra_config import HydraConfig

from frostline.advice.auto_strategy import with_choice
from frostline.config.read import settings_of
from frostline.config.schema import Settings
from frostline.sweep import summary
from frostline.sweep.execute import Job, execute
from frostline.sweep.job_record import experiment_of
from frostline.sweep.plan import plan_job, sharing_of, with_first_seeds
from frostline.sweep.preflight import check_jobs
from frostline.sweep.progress import SweepProgress


def run_single(settings: Settings, folder: Path) -> float:
    """Check one run, execute it, print its row.

    Args:
        settings: The run.
        folder: Its output folder.

    Returns:
        The metric that chose the best epoch, at that epoch; NaN for a dry run.
    """
    with SweepProgress(total=1) as progress:

        def on_text(text: str) -> None:
            progress.event({"text": text})

        progress.start(settings.run_name)
        _check_server(settings)
        if settings.strategy.asks_for_choice:
            from frostline.advice.choose import choose_strategies

            (choice,) = choose_strategies([settings], on_progress=on_text)
            settings = with_choice(HydraConfig.get().overrides.task, settings, choice, _recompose)
        (facts,) = check_jobs([settings], on_progress=on_text)
        (settings,) = with_first_seeds([settings])
        planned = plan_job(0, (), settings, facts)
        settings = planned.settings
        if settings.dry_run:
            return math.nan
        (shared,) = sharing_of([planned])
        sweep = settings.sweep.model_copy(
            update={
                "job_digest": planned.digest,
                "group": shared.group,
                **planned.facts.inputs(),
            }
        )
        job = Job(settings.model_copy(update={"sweep": sweep}), folder, env={})
        outcome = execute(job, on_progress=lambda **values: progress.event(values))
        progress.done(None)
    summary.show([outcome], summary.output_console(), title=outcome.name)
    return chosen_metric(settings, outcome.metrics)


def chosen_metric(settings: Settings, metrics: Mapping[str, float]) -> float:
    """The metric that chose the best epoch, at that epoch."""
    return metrics[settings.callbacks.monitor.replace("val/", "val_best/")]


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

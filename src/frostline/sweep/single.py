"""A run without a sweep: checked, carried out in this process, and told like a sweep of one."""

from pathlib import Path

from hydra import compose
from hydra.core.hydra_config import HydraConfig

from frostline.advice.auto_strategy import with_choice
from frostline.config.identity import job_digest
from frostline.config.schema import Settings
from frostline.sweep import summary
from frostline.sweep.job import experiment_of, run_job
from frostline.sweep.plan import counted_from_start
from frostline.sweep.preflight import check_jobs
from frostline.sweep.progress import SweepProgress


def run_alone(settings: Settings, folder: Path) -> float:
    """Check one run, carry it out, print its row.

    Args:
        settings: The run.
        folder: Its output folder.

    Returns:
        The metric that chose the best epoch, at that epoch; NaN for a dry run.
    """
    with SweepProgress(total=1) as progress:

        def on_progress(text: str) -> None:
            progress.event({"text": text})

        progress.start(settings.run_name)
        _reach_server(settings)
        if settings.strategy.asks_for_choice:
            from frostline.advice.choose import choose_strategies

            (choice,) = choose_strategies([settings], on_progress=on_progress)
            settings = with_choice(HydraConfig.get().overrides.task, settings, choice, _recomposed)
        (facts,) = check_jobs([settings], on_progress=on_progress)
        settings = counted_from_start(settings, facts)
        if settings.dry_run:
            return float("nan")
        sweep = settings.sweep.model_copy(update={"job_digest": job_digest(settings, facts)})
        settings = settings.model_copy(update={"sweep": sweep})
        result = run_job(settings, folder, on_progress=lambda **values: progress.event(values))
        progress.done(None)
    name, state, run_id = result["name"], result["state"], result["run_id"]
    outcome = summary.Outcome("", name, state, "", run_id, result["params"], result["metrics"])
    summary.show([outcome], summary.output_console(), title=name)
    chosen: float = result["metrics"][settings.callbacks.monitor.replace("val/", "val_best/")]
    return chosen


def _reach_server(settings: Settings) -> None:
    """Ask a tracking server before anything is loaded: it may be away, or the address wrong.

    Raises:
        TrackingError: If no runs can be kept there.
    """
    from frostline.tracking.address import resolve_address
    from frostline.tracking.store import open_store

    tracking = settings.tracking
    if resolve_address(tracking.uri, Path.cwd()).database is None:
        open_store(tracking.uri, experiment_of(settings), offline=tracking.offline)


def _recomposed(overrides: list[str]) -> Settings:
    """Settings from other overrides of this same command."""
    from frostline.config.composed import settings_of

    name = HydraConfig.get().job.config_name
    return settings_of(compose(name, overrides=overrides))

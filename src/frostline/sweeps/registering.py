"""`register=NAME`: the model that a sweep recommends, in MLflow's registry as its `champion`."""

from pathlib import Path

from frostline.config.schema import Settings
from frostline.errors import ConfigError
from frostline.inference.formats.needed_packages import check_packages
from frostline.sweeps import workers
from frostline.sweeps.job_runs import experiment_of
from frostline.sweeps.worker_answer import Failure

_LEFT_OUT = "report=true, tracking.offline=false"


def check_register(settings: Settings) -> None:
    """Refuse `register=NAME` where it could not be done after hours of training.

    Raises:
        ConfigError: If it could not.
    """
    name = settings.register_as
    if name is None:
        return
    check_packages("mlflow", f"register={name}")
    if not settings.report or settings.tracking.offline:
        raise ConfigError(
            f"register={name}: the report recommends which model, and the registry is MLflow's",
            _LEFT_OUT,
        )


def register_in_worker(settings: Settings, run: str, folder: Path) -> tuple[bool, str]:
    """Register a model in a warm process of its own.

    Args:
        settings: Of any job; `register_as` is set.
        run: What `export` takes: `best:SWEEP` or a run id.
        folder: Where the export is left.

    Returns:
        Whether it is registered now, and a line that says so or why not.
    """
    done = workers.call(register, settings, run, folder)
    if isinstance(done, Failure):
        return False, f"FAILED  register={settings.register_as}: {done.reason}"
    return True, str(done)


def register(settings: Settings, run: str, folder: Path) -> str:
    """Export a run as MLflow's model and make it the champion, unless it is that already.

    Args:
        settings: Of any job.
        run: `best:SWEEP` or a run id.
        folder: Where the export is left.

    Returns:
        A line that says which version it is.
    """
    from frostline.inference.formats.write_export import export_run, sample_of
    from frostline.inference.rebuild import rebuild_run
    from frostline.tracking.mlflow_model import (
        CHAMPION,
        champion_run,
        make_champion,
        register_model,
    )
    from frostline.tracking.store import open_store

    name = settings.register_as
    assert name is not None
    store = open_store(settings.tracking.uri, experiment_of(settings))
    rebuilt = rebuild_run(lambda: store, run)
    assert rebuilt.record is not None
    if champion_run(store, name) == rebuilt.record.run_id:
        return f"registered before: models:/{name}@{CHAMPION} is {rebuilt.name}"
    done = export_run(rebuilt, "mlflow", folder, sample_of(rebuilt, []), store)
    about = (done.folder / "README.md").read_text(encoding="utf-8")
    version = register_model(store, rebuilt.record.run_id, done.folder, name, about)
    make_champion(store, name, version)
    return f"registered: models:/{name}@{CHAMPION}, version {version}: {rebuilt.name}"

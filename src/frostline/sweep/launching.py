"""The jobs of a plan handed to the configured launcher, and what comes back from it."""

from collections.abc import Callable, Sequence

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher

from frostline.advice.auto_strategy import launch_overrides
from frostline.config.execution import SweepSettings
from frostline.sweep import workers
from frostline.sweep.outcome import Ended
from frostline.sweep.plan import PlannedJob
from frostline.sweep.resources import Share
from frostline.sweep.sharing import sharing_of

MakeLauncher = Callable[[], Launcher]


def launch(
    todo: Sequence[PlannedJob],
    sweep_id: str,
    parent_run_id: str,
    make_launcher: MakeLauncher,
    share: Share,
) -> Ended:
    """Run the jobs with the configured launcher."""
    from frostline.sweep.launcher import IsolatedLauncher

    limits = [f"sweep.slots={'null' if share.slots is None else share.slots}"]
    if share.threads is not None and todo[0].settings.trainer.threads is None:
        limits.append(f"trainer.threads={share.threads}")
    shares = sharing_of(todo)
    batch = [
        [
            *launch_overrides(job.overrides, job.settings),
            *limits,
            f"sweep.id={sweep_id}",
            f"sweep.parent_run_id={parent_run_id}",
            f"sweep.job_digest={job.digest}",
            f"sweep.label='{job.settings.sweep.label or ''}'",
            f"sweep.sharing={shared.jobs}",
            f"sweep.group={'null' if shared.group is None else shared.group}",
        ]
        for job, shared in zip(todo, shares, strict=True)
    ]
    launcher = make_launcher()
    if isinstance(launcher, IsolatedLauncher):
        launcher.planned = [
            job.settings.model_copy(
                update={
                    "sweep": SweepSettings(
                        id=sweep_id,
                        parent_run_id=parent_run_id,
                        job_digest=job.digest,
                        label=job.settings.sweep.label,
                        slots=share.slots,
                        group=shared.group,
                        sharing=shared.jobs,
                    )
                }
            )
            for job, shared in zip(todo, shares, strict=True)
        ]
    returns: Sequence[JobReturn] = launcher.launch(batch, initial_job_idx=0)
    ended = Ended()
    for job, result in zip(todo, returns, strict=False):
        # Not the public property: it prints the overrides of each failed job, before our own table.
        value = result._return_value
        if isinstance(value, BaseException):
            ended.failures[job.digest] = str(value).strip() or type(value).__name__
            failure = getattr(value, "failure", None)
            if isinstance(failure, workers.Failure) and failure.was_killed:
                ended.killed.add(job.digest)
        elif isinstance(value, dict):
            ended.results[job.digest] = value
    return ended

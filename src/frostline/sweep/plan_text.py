"""The plan as text before the work: jobs, duplicates, what is done, time and disk."""

from collections.abc import Mapping, Sequence

from frostline.sweep.estimate import Estimate
from frostline.sweep.plan import PlannedJob, common_overrides
from frostline.sweep.progress import clock

MIB = 2**20
MAX_DUPLICATES = 8


def plan_lines(
    jobs: Sequence[PlannedJob],
    states: Mapping[str, str],
    duplicates: Sequence[tuple[PlannedJob, PlannedJob]],
    cost: Estimate,
    changes: Sequence[str],
) -> list[str]:
    """The plan in a few lines.

    Args:
        jobs: The jobs, each once.
        states: Digest to `finished`, `half done` or `to run`.
        duplicates: Jobs left out, each beside the one that asks for the same.
        cost: What the jobs that are not finished will take.
        changes: What has changed since earlier runs of the same config.
    """
    counts = {state: list(states.values()).count(state) for state in ("finished", "half done")}
    lines = [f"{len(jobs)} jobs, {counts['finished']} of them finished already"]
    if counts["half done"]:
        lines[0] += f", {counts['half done']} half done"
    common = common_overrides([*jobs, *(job for job, _ in duplicates)])
    lines += [
        f"  asked for twice, run once: {_label(job, common)}"
        + ("" if job.overrides == kept.overrides else f"  =  {_label(kept, common)}")
        for job, kept in duplicates[:MAX_DUPLICATES]
    ]
    if len(duplicates) > MAX_DUPLICATES:
        lines.append(f"  and {len(duplicates) - MAX_DUPLICATES} more that are the same as others")
    lines += [f"  {change}" for change in changes]
    todo = len(jobs) - counts["finished"]
    if todo:
        lines.append(f"  time: {_time(todo, cost)}")
        lines.append(
            f"  disk: about {cost.kept_bytes / MIB:,.1f} MiB of checkpoints stay, up to "
            f"{cost.working_bytes / MIB:,.1f} MiB more while a job runs"
        )
    return lines


def job_lines(jobs: Sequence[PlannedJob], states: Mapping[str, str]) -> list[str]:
    """One line a job, for a dry run."""
    width = max(len(states[job.digest]) for job in jobs)
    common = common_overrides(jobs)
    return [f"  {states[job.digest]:<{width}}  {_label(job, common)}" for job in jobs]


def _label(job: PlannedJob, common: set[str]) -> str:
    """A job as the user wrote it, without what all jobs have."""
    own = [override for override in job.overrides if override not in common]
    return " ".join(own) or job.settings.run_name


def _time(todo: int, cost: Estimate) -> str:
    if cost.unknown_jobs == todo:
        return "unknown, since nothing like it ran on this machine before"
    known = f"about {clock(cost.known_s)} for {todo - cost.unknown_jobs} jobs, as earlier runs took"
    return f"{known}; unknown for {cost.unknown_jobs} jobs" if cost.unknown_jobs else known

"""The plan as text before the work: jobs, duplicates, what is done or has changed, time, disk."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from frostline.config.identity import config_digest
from frostline.config.tune_grid import is_tuned
from frostline.config.versions import RESULTS_VERSION, library_changes
from frostline.sweeps.estimate import Estimate
from frostline.sweeps.plan import PlannedJob, common_overrides, short_word
from frostline.sweeps.progress import clock
from frostline.sweeps.sharing import sharing_of, stores_epochs

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord

MIB = 2**20
_SHOWN_DIGITS = 8
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
    of_them = "of them " if len(jobs) > 1 else ""
    lines = [f"{jobs_text(len(jobs))}, {counts['finished']} {of_them}finished already"]
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
        if cost.tuned_cells:
            lines.append(f"  tuning: {_tuning(cost)}")
        lines.append(
            f"  disk: about {cost.kept_bytes / MIB:,.1f} MiB of checkpoints stay, up to "
            f"{cost.working_bytes / MIB:,.1f} MiB more while a job runs"
        )
    return lines


def sharing_lines(jobs: Sequence[PlannedJob]) -> list[str]:
    """The plan's line on jobs that share frozen stages though every epoch has other images.

    Args:
        jobs: The jobs that will run now.
    """
    count = sum(
        stores_epochs(job) and (shared.jobs > 1 or is_tuned(job.settings))
        for job, shared in zip(jobs, sharing_of(jobs), strict=True)
    )
    if not count:
        return []
    return [
        f"  reuse: in {jobs_text(count)} the frozen stages run once an epoch for all that train on "
        "the same random images, where that saves time"
    ]


def job_lines(jobs: Sequence[PlannedJob], states: Mapping[str, str]) -> list[str]:
    """One line a job, for a dry run."""
    width = max(len(states[job.digest]) for job in jobs)
    common = common_overrides(jobs)
    return [f"  {states[job.digest]:<{width}}  {_label(job, common)}" for job in jobs]


def _label(job: PlannedJob, common: set[str]) -> str:
    """A job as the user wrote it, without what all jobs have; a rectangle as `96x128`."""
    own = [override for override in job.overrides if override not in common]
    return " ".join(map(short_word, own)) or job.settings.run_name


def _time(todo: int, cost: Estimate) -> str:
    if cost.unknown_jobs == todo:
        same = "the same data, backbone, depth and image size"
        return f"unknown, since no job of {same} ran here before"
    jobs = jobs_text(todo - cost.unknown_jobs)
    known = f"about {clock(cost.known_s)} for {jobs}, as earlier runs took"
    return f"{known}; unknown for {jobs_text(cost.unknown_jobs)}" if cost.unknown_jobs else known


def _tuning(cost: Estimate) -> str:
    """What the jobs that choose their values take for it."""
    cells = "1 cell chooses" if cost.tuned_cells == 1 else f"{cost.tuned_cells} cells choose"
    keys = " and ".join(cost.tuned_keys)
    added = f"about {clock(cost.tune_s)} of this time, " if cost.tune_s >= 1 else ""
    return (
        f"{cells} {keys} from several: {added}{cost.tuned_epochs} epochs beside the "
        f"{cost.epochs} of the jobs"
    )


def changes_since(todo: Sequence[PlannedJob], finished: "Sequence[RunRecord]") -> list[str]:
    """Name what differs from the newest finished run of each job's config.

    Args:
        todo: Jobs that no finished run answers.
        finished: Finished runs of the experiment, the newest first.

    Returns:
        One line for each thing that changed, with the number of jobs that it concerns.
    """
    newest: dict[tuple[str, str], RunRecord] = {}
    for run in finished:
        # The digest holds no path, but another file of weights is another config.
        config = run.tags.get("frostline.config_digest", ""), run.params.get("weights", "")
        newest.setdefault(config, run)
    counts: Counter[str] = Counter()
    for job in todo:
        earlier = newest.get((config_digest(job.settings), job.settings.weights))
        if earlier is not None:
            counts.update(_differences(job, earlier))
    return [
        f"{what}: the earlier results of {jobs_text(count)} are not reused"
        for what, count in counts.items()
    ]


def _differences(job: PlannedJob, run: "RunRecord") -> list[str]:
    facts, tags = job.facts, run.tags
    changes = []
    if facts.data_fingerprint != tags.get("frostline.data_fingerprint"):
        changes.append(
            f"the data has changed ({_short(tags.get('frostline.data_fingerprint'))} then, "
            f"{_short(facts.data_fingerprint)} now)"
        )
    elif facts.split_digest != tags.get("frostline.split_digest"):
        changes.append("the splits have changed")
    # A hub may state no digest of a file that is not downloaded yet.
    weights = tags.get("frostline.weights_file_digest")
    if facts.weights_digest and weights and facts.weights_digest != weights:
        changes.append(f"the weights of {job.settings.backbone} have changed")
    version = tags.get("frostline.results_version")
    if version is None:
        # Its libraries are not recorded in this form, either.
        changes.append("the earlier runs were recorded before results had a version")
        return changes
    if version != str(RESULTS_VERSION):
        changes.append(
            f"Frostline computes otherwise (results version {version} then, {RESULTS_VERSION} now)"
        )
    changes += library_changes(tags.get("frostline.libraries", ""), facts.libraries)
    numerics = tags.get("frostline.numerics", "unknown")
    if facts.numerics != numerics:
        changes.append(f"the earlier runs computed with {numerics}, now it is {facts.numerics}")
    return changes


def jobs_text(count: int) -> str:
    """A number of jobs in words."""
    return "1 job" if count == 1 else f"{count} jobs"


def _short(digest: str | None) -> str:
    return digest[:_SHOWN_DIGITS] if digest else "unknown"

"""Why a command that ran before does not find its earlier results: what has changed since."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from frostline.config.identity import config_digest
from frostline.config.versions import RESULTS_VERSION, library_changes
from frostline.sweep.plan import PlannedJob

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord

_SHOWN_DIGITS = 8


def changes_since(todo: Sequence[PlannedJob], finished: "Sequence[RunRecord]") -> list[str]:
    """Name what differs from the newest finished run of each job's config.

    Args:
        todo: Jobs that no finished run answers.
        finished: Finished runs of the experiment, the newest first.

    Returns:
        One line for each thing that changed, with the number of jobs that it concerns.
    """
    newest: dict[str, RunRecord] = {}
    for run in finished:
        newest.setdefault(run.tags.get("frostline.config_digest", ""), run)
    counts: Counter[str] = Counter()
    for job in todo:
        earlier = newest.get(config_digest(job.settings))
        if earlier is not None:
            counts.update(_differences(job, earlier))
    return [
        f"{what}: the earlier results of {count} jobs are not reused"
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
    if facts.weights_digest != tags.get("frostline.weights_digest", ""):
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


def _short(digest: str | None) -> str:
    return digest[:_SHOWN_DIGITS] if digest else "unknown"

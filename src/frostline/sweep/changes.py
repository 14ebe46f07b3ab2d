"""Why a command that ran before does not find its earlier results: what has changed since."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from frostline.sweep.plan import PlannedJob, code_version, config_digest

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
    found = []
    if facts.data_fingerprint != tags.get("frostline.data_fingerprint"):
        found.append(
            f"the data has changed ({_short(tags.get('frostline.data_fingerprint'))} then, "
            f"{_short(facts.data_fingerprint)} now)"
        )
    elif facts.split_digest != tags.get("frostline.split_digest"):
        found.append("the splits have changed")
    if facts.weights_digest != tags.get("frostline.weights_digest", ""):
        found.append(f"the weights of {job.settings.backbone} have changed")
    if code_version() != tags.get("frostline.code_version"):
        found.append("the training code or a library under it has changed")
    return found


def _short(digest: str | None) -> str:
    return digest[:_SHOWN_DIGITS] if digest else "unknown"

"""What says on a sweep's run that a whole report of some runs was logged there."""

import hashlib
from collections.abc import Iterable, Mapping

REPORT_TAG = "frostline.report_of"
PAGE_ARTIFACT = "report/report.html"


def runs_digest(run_ids: Iterable[str]) -> str:
    """What the report of some runs is known by: a digest of their ids."""
    return hashlib.sha256("\0".join(sorted(run_ids)).encode()).hexdigest()[:16]


def is_marked(tags: Mapping[str, str], run_ids: Iterable[str]) -> bool:
    """Whether a whole report of just these runs was logged on the run with these tags."""
    return tags.get(REPORT_TAG) == runs_digest(run_ids)

"""What says on a sweep's run that a whole report of some runs was logged there.

Runs that have not ended count as little as in the report's verdict: one that is resumed later has
the same id, and the report is then no longer that of the sweep.
"""

import hashlib
from collections.abc import Iterable, Mapping

REPORT_TAG = "frostline.report_of"
PAGE_ARTIFACT = "report/report.html"


def runs_digest(run_ids: Iterable[str]) -> str:
    """What the report of some runs is known by: a digest of the ids of those that are whole."""
    return hashlib.sha256("\0".join(sorted(run_ids)).encode()).hexdigest()[:16]


def is_marked(tags: Mapping[str, str], run_ids: Iterable[str]) -> bool:
    """Whether a whole report of just these whole runs was logged on the run with these tags."""
    return tags.get(REPORT_TAG) == runs_digest(run_ids)

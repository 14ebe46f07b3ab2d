"""Looks at a sweep's results, as they are recorded on the sweeps whose runs they looked at.

A look is kept on every sweep that ran one of its runs. Who adds a seed starts a new sweep, which
reuses the runs of the one before: its report finds the earlier looks through these runs.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from frostline.errors import TrackingError
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord
from frostline.tracking.store_errors import explained_errors

LOOKS_TAG = "frostline.looks"
# As many as a tag holds; who looks more often has nothing left to spend on claims anyway.
_MAX_KEPT = 250
_log = logging.getLogger(__name__)


def looks_at(sweeps: Iterable[RunRecord]) -> list[str]:
    """Digests of all looks that were recorded on some sweeps, in the order of time."""
    made = sorted(
        word.partition(":")[::2]
        for sweep in sweeps
        for word in sweep.tags.get(LOOKS_TAG, "").split()
        if ":" in word
    )
    return list(dict.fromkeys(digest for _, digest in made))


def sweeps_of(store: Reader, runs: Iterable[RunRecord]) -> list[RunRecord]:
    """The sweeps that ran some runs, each once; those that are gone are left out."""
    found = []
    for parent in dict.fromkeys(run.parent_run_id for run in runs):
        if parent is not None:
            with suppress(TrackingError):
                found.append(store.get_run(parent))
    return found


def record_look(store: Reader, sweeps: Sequence[RunRecord], look: str) -> None:
    """Record a look on sweeps, whoever owns their runs; a warning where that fails.

    Args:
        store: Where the sweeps are.
        sweeps: As read before the look.
        look: Its digest.
    """
    word = f"{time.time_ns() // 1_000_000}:{look}"
    for sweep in sweeps:
        kept = sweep.tags.get(LOOKS_TAG, "").split()
        if len(kept) >= _MAX_KEPT:
            continue
        try:
            with explained_errors(store.address):
                store.client.set_tag(sweep.run_id, LOOKS_TAG, " ".join([*kept, word]))
        except TrackingError as error:
            _log.warning("this look is not recorded on %s: %s", sweep.name, error.given)

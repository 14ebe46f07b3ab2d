"""What it means that entries of one run were not delivered: an outage, a refusal, a hopeless case.

Nothing here raises while a model trains: a tracking error is logged as a warning and added to
`problems`, and never hides a training error.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from frostline.errors import TrackingError
from frostline.tracking.connection import WrongStoreError
from frostline.tracking.delivery import RunGoneError, raise_if_gone
from frostline.tracking.journal import Journal
from frostline.tracking.journal_file import Entry, Note, refused_path
from frostline.tracking.store_client import StoreClient
from frostline.tracking.store_errors import is_final, is_outage

_log = logging.getLogger(__name__)
SHOW = "python -m src.tracking"  # the command that shows what waits
_PAUSE_S = 10.0  # before a delivery is tried again that failed while the store answered


class Undelivered:
    """Judges the failures of one run's entries, and keeps what they leave for a person.

    Args:
        name: The run's name.
        store_client: The client of the store.
        journal: Where the run's entries wait.
    """

    def __init__(self, name: str, *, store_client: StoreClient, journal: Journal) -> None:
        self.problems: list[str] = []
        self._lost: OSError | None = None
        self._name = name
        self._store_client = store_client
        self._journal = journal
        self._next_try_s = 0.0

    @property
    def is_aside(self) -> bool:
        """Whether the journal waits for a person, as trying again is useless."""
        return self._journal.note is not None and self._journal.note.aside

    def is_worth_trying(self) -> bool:
        """Whether to try a delivery now, as far as the store and this journal have failed."""
        return self._store_client.is_worth_trying() and time.monotonic() >= self._next_try_s

    def judged(self, run_id: str, error: Exception) -> tuple[Exception, bool]:
        """What stands behind the failure of one entry, and whether that entry alone is refused.

        Args:
            run_id: MLflow's id of the run.
            error: What the store answered.
        """
        try:
            raise_if_gone(self._store_client.client, run_id, error)
        except RunGoneError as gone:
            return gone, False
        return error, is_final(error)

    def note(self, error: Exception) -> None:
        """Note why a delivery failed: an outage of the store, or what concerns this journal alone.

        What no later try can change sets the journal aside, until a person decides.
        """
        is_own = isinstance(error, (RunGoneError, WrongStoreError, LookupError)) or is_final(error)
        if is_outage(error) or not (is_own or self._store_client.answers()):
            self._store_client.failed(error)
            return
        aside = isinstance(error, (RunGoneError, LookupError, TrackingError)) or is_final(error)
        reason = self._store_client.one_line(error)[:300]
        self._next_try_s = time.monotonic() + _PAUSE_S
        if self._journal.note is None or self._journal.note.reason != reason:
            end = "they are kept until you decide" if aside else "they wait"
            self.problem(f"entries cannot be delivered ({reason}); {end}: {SHOW}")
            self._journal.set_note(Note(reason, aside))

    def refused(self, entry: Entry, error: BaseException) -> None:
        """Keep an entry that the store can never accept, and warn of it."""
        what = entry.get("values") or entry.get("path") or entry.get("file") or entry["op"]
        names = ", ".join(what) if isinstance(what, dict) else str(what)
        reason = self._store_client.one_line(error)[:300]
        self.guard(self._journal.keep_refused, entry, reason)
        kept = refused_path(self._journal.path.parent, self._journal.run_id)
        self.problem(f"{entry['op']} {names}: refused by the store: {reason}; kept in {kept}")

    def lose(self, entry: Entry, error: OSError) -> None:
        """Note that a file was taken by neither the store nor the journal."""
        self.problem(f"{entry.get('file', entry['op'])} is lost: {error}")
        if self._lost is None:
            name = Path(str(entry.get("file", entry["op"]))).name
            self._lost = OSError(error.errno, f"{error.strerror or error}, so it is lost", name)

    def raise_if_lost(self) -> None:
        """Refuse to go on as if all were kept.

        Raises:
            OSError: With the first file that was lost, and why.
        """
        if self._lost is not None:
            raise self._lost

    def warn_of_waiting(self) -> None:
        """Warn of what a later command has to deliver, unless the store is not used at all."""
        waiting = len(self._journal.entries)
        if waiting and not self._store_client.offline and not self.is_aside:
            _log.warning(
                "run %s: %d entries wait in %s for the store; the next command delivers them",
                self._name,
                waiting,
                self._journal.path,
            )

    def problem(self, text: str) -> None:
        """Add to `problems`, and warn."""
        self.problems.append(text)
        _log.warning("run %s: %s", self._name, text)

    def guard(self, action: Callable[..., object], *args: object) -> None:
        """Call something whose failure is a problem, not an error."""
        try:
            action(*args)
        except Exception as error:
            self.problem(f"{type(error).__name__}: {error}")

"""What one run sends to its store: directly, or through the journal while the store is down.

Nothing here raises while a model trains: a tracking error is logged as a warning and added to
`problems`, and never hides a training error.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from frostline.errors import TrackingError
from frostline.tracking.delivery import (
    BATCHED,
    RunGoneError,
    raise_if_gone,
    send,
    send_all,
    send_batch,
)
from frostline.tracking.journal import Journal
from frostline.tracking.journal_file import Entry, Note, refused_path
from frostline.tracking.offline_runs import (
    ParentPendingError,
    create_run,
    find_offline_run,
    is_offline_id,
)
from frostline.tracking.store_client import StoreClient
from frostline.tracking.store_errors import is_final, is_outage

_log = logging.getLogger(__name__)
SHOW = "python -m src.tracking"  # the command that shows what waits
_PAUSE_S = 10.0  # before a delivery is tried again that failed while the store answered


class WrongStoreError(Exception):
    """Another store stands at the address of the one that entries wait for."""


class Outbox:
    """The queue of one run's entries, in their order.

    It knows how entries reach the store; what a run logs, and who owns the run, is
    `frostline.tracking.tracked_run.Run`.

    Args:
        run_id: MLflow's id, or `offline-...` until the store has the run.
        name: The run's name.
        store_client: The client of the store.
        journal: Where entries wait.
        check_history: Ask the store, before anything is sent, which steps it has already.
    """

    def __init__(
        self,
        run_id: str,
        name: str,
        *,
        store_client: StoreClient,
        journal: Journal,
        check_history: bool = False,
    ) -> None:
        self.run_id = run_id
        self.name = name
        self.problems: list[str] = []
        self._store_client = store_client
        self._journal = journal
        self._check_history = check_history
        self._batch: list[Entry] | None = None
        self._next_try_s = 0.0

    @property
    def waiting(self) -> list[Entry]:
        """The entries that the store has not confirmed."""
        return self._journal.entries

    def put(self, entry: Entry) -> None:
        """Send an entry if the store answers; otherwise add it behind the others that wait."""
        if self._batch is not None and entry["op"] in BATCHED:
            self._batch.append(entry)
            return
        if self.waiting and self._is_worth_trying():
            self.deliver()
        if self._can_send_directly() and self._store_client.is_worth_trying():
            try:
                send(self._store_client.client, self.run_id, entry)
                self._store_client.worked()
                return
            except ParentPendingError:
                pass
            except Exception as error:
                gone = self._run_gone(error)
                if is_final(error) and gone is None:
                    self._refused(entry, error)
                    return
                self.put_in_journal(entry)
                self._note_failure(gone or error)
                return
        self.put_in_journal(entry)
        if self._check_history and self._is_worth_trying():
            self.deliver()

    def put_in_journal(self, entry: Entry) -> None:
        """Add an entry to the journal, with a copy of the file that it names."""
        self.guard(self._append, entry)

    @contextmanager
    def batched(self) -> Iterator[None]:
        """Collect parameters, tags and metrics in a block, and send them in one request.

        If that fails, they are sent, or added to the journal, one by one.
        """
        batch: list[Entry] = []
        self._batch = batch
        try:
            yield
        finally:
            self._batch = None
            if not self._sent_as_batch(batch):
                for entry in batch:
                    self.put(entry)

    def deliver(self) -> bool:
        """Send what waits in the journal, unless it is for another store, or was set aside.

        Returns:
            Whether nothing waits any more.
        """
        if self._store_client.offline or not self.waiting or self.is_aside:
            return not self.waiting
        entries = list(self.waiting)
        created = 1 if entries[0]["op"] == "create" else 0
        delivered = 0
        try:
            self._check_store()
            if is_offline_id(self.run_id):
                self.run_id = self._find_or_create(entries[0])
            client = self._store_client.client
            rest = entries[created:]
            for count in send_all(client, self.run_id, rest, on_refused=self._refused):
                delivered = count
            self._store_client.worked()
        except ParentPendingError:  # no outage: the run of the sweep is delivered first
            pass
        except Exception as error:
            self._note_failure(error)
        if delivered or (created and len(entries) == 1 and not is_offline_id(self.run_id)):
            self.guard(self._journal.drop_first, delivered + created)
        return not self.waiting

    @property
    def is_aside(self) -> bool:
        """Whether the journal waits for a person, as trying again is useless."""
        return self._journal.note is not None and self._journal.note.aside

    def warn_of_waiting(self) -> None:
        """Warn of what a later command has to deliver, unless the store is not used at all."""
        if self.waiting and not self._store_client.offline and not self.is_aside:
            _log.warning(
                "run %s: %d entries wait in %s for the store; the next command delivers them",
                self.name,
                len(self.waiting),
                self._journal.path,
            )

    def problem(self, text: str) -> None:
        """Add to `problems`, and warn."""
        self.problems.append(text)
        _log.warning("run %s: %s", self.name, text)

    def guard(self, action: Callable[..., object], *args: object) -> None:
        """Call something whose failure is a problem, not an error."""
        try:
            action(*args)
        except Exception as error:
            self.problem(f"{type(error).__name__}: {error}")

    def _can_send_directly(self) -> bool:
        """Whether no other entry, and no question to the store, comes first."""
        return not (self.waiting or is_offline_id(self.run_id) or self._check_history)

    def _is_worth_trying(self) -> bool:
        return self._store_client.is_worth_trying() and time.monotonic() >= self._next_try_s

    def _check_store(self) -> None:
        """Compare the store that answers with the one that the journal was begun for.

        Raises:
            WrongStoreError: If they differ.
        """
        connection = self._store_client.connection
        there, meant = connection.identify(), self._journal.store
        if not meant.may_be(there):
            raise WrongStoreError(
                f"another store is at {connection.address.shown} now than the one they are for"
            )

    def _run_gone(self, error: BaseException) -> RunGoneError | None:
        """Whether a request was refused because the run was deleted."""
        try:
            raise_if_gone(self._store_client.client, self.run_id, error)
        except RunGoneError as gone:
            return gone
        return None

    def _note_failure(self, error: Exception) -> None:
        """Tell an outage of the store from what concerns this journal alone, and note it."""
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

    def _sent_as_batch(self, entries: list[Entry]) -> bool:
        if (
            not self._can_send_directly()
            or len(entries) < 2
            or not self._store_client.is_worth_trying()
        ):
            return False
        try:
            send_batch(self._store_client.client, self.run_id, entries)
        except Exception:  # one by one shows which of them fails, or that the store is down
            return False
        self._store_client.worked()
        return True

    def _find_or_create(self, first: Entry) -> str:
        offline_id = self._journal.run_id
        if first["op"] != "create":
            run_id = find_offline_run(self._store_client.client, offline_id)
            if run_id is None:
                raise LookupError(
                    f"the run {offline_id} is not in the store, and its first entry is lost"
                )
            return run_id
        experiment = self._store_client.experiment_id(first["experiment"])
        return create_run(self._store_client.client, experiment, offline_id, first)

    def _append(self, entry: Entry) -> None:
        if entry["op"] == "artifact":
            copy = self._journal.copy_file(Path(entry["file"]))
            entry = {**entry, "file": str(copy)}
        self._journal.append(entry)

    def _refused(self, entry: Entry, error: BaseException) -> None:
        what = entry.get("values") or entry.get("path") or entry.get("file") or entry["op"]
        names = ", ".join(what) if isinstance(what, dict) else str(what)
        reason = self._store_client.one_line(error)[:300]
        self.guard(self._journal.keep_refused, entry, reason)
        kept = refused_path(self._journal.path.parent, self._journal.run_id)
        self.problem(f"{entry['op']} {names}: refused by the store: {reason}; kept in {kept}")

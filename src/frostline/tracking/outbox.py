"""What one run sends to its store: directly, or through the journal while the store is down.

Nothing here raises while a model trains; what failures mean is judged in
`frostline.tracking.undelivered`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frostline.tracking.delivery import BATCHED, OwnTags, send, send_all, send_batch
from frostline.tracking.journal import Journal
from frostline.tracking.journal_file import Entry
from frostline.tracking.offline_runs import ParentPendingError, is_offline_id, run_of_journal
from frostline.tracking.store_client import StoreClient
from frostline.tracking.undelivered import Undelivered


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
        folded_tags: The tag of its folded tags, where the run is new.
    """

    def __init__(
        self,
        run_id: str,
        name: str,
        *,
        store_client: StoreClient,
        journal: Journal,
        check_history: bool = False,
        folded_tags: str | None = None,
    ) -> None:
        self.run_id = run_id
        self.name = name
        self.undelivered = Undelivered(name, store_client=store_client, journal=journal)
        self._store_client = store_client
        self._journal = journal
        self._check_history = check_history
        self._batch: list[Entry] | None = None
        self._held: list[Entry] | None = None
        self._tags = OwnTags(folded_tags)

    @property
    def waiting(self) -> list[Entry]:
        """The entries that the store has not confirmed."""
        return self._journal.entries

    def put(self, entry: Entry) -> None:
        """Send an entry if the store answers; otherwise add it behind the others that wait."""
        if self._batch is not None and entry["op"] in BATCHED:
            self._batch.append(entry)
            return
        if self._held is not None and entry["op"] in BATCHED:
            self._held.append(entry)
            return
        if self.waiting and self.undelivered.is_worth_trying():
            self.deliver()
        if self._can_send_directly() and self._store_client.is_worth_trying():
            try:
                send(self._store_client.client, self.run_id, entry, self._tags)
                self._store_client.worked()
                return
            except ParentPendingError:
                pass
            except Exception as error:
                cause, is_refused = self.undelivered.judged(self.run_id, error)
                if is_refused:
                    self.undelivered.refused(entry, error)
                    return
                self.put_in_journal(entry)
                self.undelivered.note(cause)
                return
        self.put_in_journal(entry)
        if self._check_history and self.undelivered.is_worth_trying():
            self.deliver()

    def put_in_journal(self, entry: Entry) -> None:
        """Add an entry to the journal, with a copy of the file that it names."""
        self._tags = OwnTags()  # what is delivered later is read from the store again
        try:
            self._append(entry)
        except OSError as error:
            self.undelivered.lose(entry, error)

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
            if self._held is not None:
                self._held += batch
            else:
                self._put_all(batch)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold parameters, tags and metrics back in a block until `flush`, or its end."""
        self._held = []
        try:
            yield
        finally:
            self.flush()
            self._held = None

    def flush(self) -> None:
        """Send what is held back, in one request."""
        if self._held:
            entries, self._held = self._held, None
            try:
                self._put_all(entries)
            finally:
                self._held = []

    def _put_all(self, entries: list[Entry]) -> None:
        if not self._sent_as_batch(entries):
            for entry in entries:
                self.put(entry)

    def deliver(self) -> bool:
        """Send what waits in the journal, unless it is for another store, or was set aside.

        Returns:
            Whether nothing waits any more.
        """
        if self._store_client.offline or not self.waiting or self.undelivered.is_aside:
            return not self.waiting
        entries = list(self.waiting)
        created = 1 if entries[0]["op"] == "create" else 0
        delivered = 0
        try:
            self._store_client.connection.check_is(self._journal.store)
            if is_offline_id(self.run_id):
                self.run_id = run_of_journal(self._store_client, self._journal.run_id, entries[0])
            client = self._store_client.client
            rest = entries[created:]
            refused = self.undelivered.refused
            for count in send_all(client, self.run_id, rest, on_refused=refused):
                delivered = count
            self._store_client.worked()
        except ParentPendingError:  # no outage: the run of the sweep is delivered first
            pass
        except Exception as error:
            self.undelivered.note(error)
        if delivered or (created and len(entries) == 1 and not is_offline_id(self.run_id)):
            self.undelivered.guard(self._journal.drop_first, delivered + created)
        return not self.waiting

    def _can_send_directly(self) -> bool:
        """Whether no other entry, and no question to the store, comes first."""
        return not (self.waiting or is_offline_id(self.run_id) or self._check_history)

    def _sent_as_batch(self, entries: list[Entry]) -> bool:
        if (
            not self._can_send_directly()
            or len(entries) < 2
            or not self._store_client.is_worth_trying()
        ):
            return False
        try:
            send_batch(self._store_client.client, self.run_id, entries, self._tags)
        except Exception:  # one by one shows which of them fails, or that the store is down
            return False
        self._store_client.worked()
        return True

    def _append(self, entry: Entry) -> None:
        if entry["op"] == "artifact":
            copy = self._journal.copy_file(Path(entry["file"]))
            entry = {**entry, "file": str(copy)}
        self._journal.append(entry)

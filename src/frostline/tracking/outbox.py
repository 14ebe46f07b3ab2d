"""The way of a run's entries: straight to the store, or through the journal until it is back.

Nothing here raises while a model trains: a tracking error is a warning and an entry of `problems`,
and never takes the place of a training error.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from frostline.tracking.availability import Link
from frostline.tracking.delivery import (
    BATCHED,
    ParentPendingError,
    create_run,
    find_local,
    is_local,
    send,
    send_all,
    send_batch,
)
from frostline.tracking.journal import Entry, Journal
from frostline.tracking.store_errors import is_final

_log = logging.getLogger(__name__)


class Outbox:
    """What one run has for its store, in its order.

    Args:
        run_id: MLflow's id, or `offline-...` until the store knows the run.
        name: The run's name.
        link: The link to the store.
        journal: Where entries wait.
        ask_history: Ask the store, before anything is sent, which steps it has already.
    """

    def __init__(
        self, run_id: str, name: str, *, link: Link, journal: Journal, ask_history: bool
    ) -> None:
        self.run_id = run_id
        self.name = name
        self.problems: list[str] = []
        self._link = link
        self._journal = journal
        self._gathered: list[Entry] | None = None
        self._ask_history = ask_history

    @property
    def waiting(self) -> int:
        """How many entries the store has not confirmed."""
        return len(self._journal.entries)

    def put(self, entry: Entry) -> None:
        """Send an entry if the store is there; otherwise it waits behind the others."""
        if self._gathered is not None and entry["op"] in BATCHED:
            self._gathered.append(entry)
            return
        if self._journal.entries and self._link.is_worth_trying():
            self.deliver()
        behind = bool(self._journal.entries) or is_local(self.run_id)
        if not behind and not self._ask_history and self._link.is_worth_trying():
            try:
                send(self._link.client, self.run_id, entry)
                self._link.worked()
                return
            except ParentPendingError:
                pass
            except Exception as error:
                if is_final(error):
                    self._refused(entry, error)
                    return
                self._link.failed(error)
        self.keep(entry)
        if self._ask_history and self._link.is_worth_trying():
            self.deliver()

    def keep(self, entry: Entry) -> None:
        """Let an entry wait, with a copy of the file that it names."""
        self.guard(self._keep, entry)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Gather parameters, tags and metrics, and send them as one at the end of the block.

        Nothing else about them changes: what cannot be sent as one is sent, or kept, one by one.
        """
        gathered: list[Entry] = []
        self._gathered = gathered
        try:
            yield
        finally:
            self._gathered = None
            if not self._sent_at_once(gathered):
                for entry in gathered:
                    self.put(entry)

    def deliver(self) -> bool:
        """Send now what waits in the journal.

        Returns:
            Whether nothing is left.
        """
        if self._link.offline or not self._journal.entries:
            return not self._journal.entries
        delivered = 0

        def done(count: int) -> None:
            nonlocal delivered
            delivered = count

        entries = list(self._journal.entries)
        created = 1 if entries[0]["op"] == "create" else 0
        try:
            if is_local(self.run_id):
                self.run_id = self._find_or_create(entries[0])
            send_all(
                self._link.client,
                self.run_id,
                entries[created:],
                check_history=True,
                on_refused=self._refused,
                done=done,
            )
            self._link.worked()
        except ParentPendingError:  # no outage: the store is there, its sweep's run comes first
            pass
        except Exception as error:
            self._link.failed(error)
        if delivered or (created and len(entries) == 1 and not is_local(self.run_id)):
            self.guard(self._journal.keep_from, delivered + created)
        return not self._journal.entries

    def report_waiting(self) -> None:
        """Warn of what a later call has to deliver; said only where the store is wanted."""
        if self._journal.entries and not self._link.offline:
            _log.warning(
                "run %s: %d entries wait in %s for the store; the next call delivers them",
                self.name,
                self.waiting,
                self._journal.path,
            )

    def problem(self, text: str) -> None:
        """Note what went wrong with tracking, and warn of it."""
        self.problems.append(text)
        _log.warning("run %s: %s", self.name, text)

    def guard(self, action: Callable[..., object], *args: object) -> None:
        """Do something whose failure is a problem, not an error."""
        try:
            action(*args)
        except Exception as error:
            self.problem(f"{type(error).__name__}: {error}")

    def _sent_at_once(self, entries: list[Entry]) -> bool:
        behind = bool(self._journal.entries) or is_local(self.run_id) or self._ask_history
        if behind or len(entries) < 2 or not self._link.is_worth_trying():
            return False
        try:
            send_batch(self._link.client, self.run_id, entries)
        except Exception:  # one by one it shows which of them it is, or that the store is away
            return False
        self._link.worked()
        return True

    def _find_or_create(self, first: Entry) -> str:
        local_id = self._journal.run_id
        if first["op"] != "create":
            found = find_local(self._link.client, local_id)
            if found is None:
                raise LookupError(f"the run {local_id} is not in the store, and its start is lost")
            return found
        experiment = self._link.experiment_id(first["experiment"])
        return create_run(self._link.client, experiment, local_id, first)

    def _keep(self, entry: Entry) -> None:
        if entry["op"] == "artifact":
            kept = self._journal.keep_file(Path(entry["file"]))
            entry = {**entry, "file": str(kept)}
        self._journal.append(entry)

    def _refused(self, entry: Entry, error: BaseException) -> None:
        what = entry.get("values") or entry.get("path") or entry.get("file") or entry["op"]
        names = ", ".join(what) if isinstance(what, dict) else str(what)
        reason = " ".join(str(error).split())[:300]
        self.problem(f"{entry['op']} {names}: refused by the store: {reason}")

"""The tracking store: opened once, and left in order whatever happened to its runs."""

import getpass
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from frostline.errors import TrackingError
from frostline.locks import Owner, OwnerLock, is_free, read_owner
from frostline.tracking.address import resolve_address
from frostline.tracking.availability import Link
from frostline.tracking.connection import Connection
from frostline.tracking.delivery import TAG_MAX_CHARS, as_text, is_local, logged_points
from frostline.tracking.journal import Entry, Journal, read_entries
from frostline.tracking.owner import is_abandoned, journal_name, life_lock, owner_tags
from frostline.tracking.reader import Reader
from frostline.tracking.records import ENDED, PARENT_TAG, RunRecord
from frostline.tracking.store_errors import StoreUnavailableError, is_final
from frostline.tracking.tracked_run import Run


def open_store(
    uri: str | None,
    experiment: str,
    *,
    offline: bool = False,
    folder: Path | None = None,
    must_answer: bool = True,
) -> "Store":
    """Open the store, make its schema and the experiment if need be, deliver what waits for it.

    Args:
        uri: An MLflow address; None means `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.
        experiment: Name of the experiment for new runs.
        offline: Keep everything in local journals; the store is not tried at all.
        folder: What relative addresses start from; None means the working directory.
        must_answer: Whether a store that is away is an error now (at the start of a command), or
            runs begin in a journal (a job in the middle of a sweep).

    Raises:
        TrackingError: If the address cannot be used, or the store is away, of another version, or
            cannot be written.
    """
    address = resolve_address(uri, folder or Path.cwd())
    link = Link(Connection(address), experiment, offline=offline)
    store = Store(address, link)
    if offline:
        return store
    try:
        link.experiment_id(experiment)
    except StoreUnavailableError as error:
        if must_answer:
            raise
        link.failed(error)
        return store
    store.deliver_pending()
    return store


class Store(Reader):
    """One tracking store, as seen by one process; made by `open_store`."""

    def start_run(
        self, name: str, tags: Mapping[str, str], parent_run_id: str | None = None
    ) -> Run:
        """Begin a run, owned by this process until it finishes or dies.

        When the store is away, the run begins in a journal and gets its MLflow id later.

        Args:
            name: Name as people see it.
            tags: Tags from the first moment on.
            parent_run_id: The sweep's run.

        Raises:
            TrackingError: If the store refuses the run.
        """
        all_tags, _ = as_text({"mlflow.user": _user(), **owner_tags(), **tags}, TAG_MAX_CHARS)
        if parent_run_id is not None:
            all_tags[PARENT_TAG] = parent_run_id
        if self._link.is_worth_trying() and not is_local(parent_run_id or ""):
            try:
                experiment = self._link.experiment_id(self.experiment)
                made = self._link.client.create_run(experiment, tags=all_tags, run_name=name)
                self._link.worked()
                return self._own(made.info.run_id, name, logged=set())
            except StoreUnavailableError as error:
                self._link.failed(error)
            except TrackingError:
                raise
            except Exception as error:
                if is_final(error):
                    raise TrackingError(f"the run {name} was refused: {error}") from error
                self._link.failed(error)
        run = self._own(f"offline-{uuid.uuid4().hex}", name, logged=set())
        run.begin(self.experiment, all_tags)
        return run

    def resume_run(self, run_id: str) -> Run:
        """Go on with a run whose owner has ended or died; its state becomes RUNNING again.

        When the store is away, what is logged waits in the journal, and is checked against the
        store's history before it is delivered.

        Raises:
            TrackingError: If there is no such run, or its owner is alive.
        """
        logged: set[tuple[str, int]] | None = None
        try:
            record = self.get_run(run_id)
        except StoreUnavailableError as error:
            self._link.failed(error)
            record = RunRecord(run_id, run_id, self.experiment, "RUNNING", {}, {}, {}, 0, None)
        if is_local(record.run_id):
            logged = set()
        elif self._link.is_worth_trying():
            try:
                logged = logged_points(self._link.client, record.run_id, record.metrics)
            except Exception as error:
                self._link.failed(error)
        run = self._own(record.run_id, record.name, logged=logged, key=journal_name(record))
        run.go_on(owner_tags())
        return run

    @contextmanager
    def amend_run(self, run_id: str) -> Iterator[Run]:
        """Add to a run that has ended; its state and its times stay as they are.

        Raises:
            TrackingError: If there is no such run, or it has not ended.
        """
        record = self.get_run(run_id)
        if record.status not in ENDED:
            raise TrackingError(
                f"run {record.name} ({run_id}) is {record.status}: it has not ended",
                todo="wait for it, or finish it with the command that began it",
            )
        run = self._own(record.run_id, record.name, logged=set(), key=journal_name(record))
        try:
            yield run
        finally:
            run.leave()

    def claim(
        self,
        key: str,
        *,
        wait_s: float | None = None,
        on_wait: Callable[[Owner | None], None] | None = None,
    ) -> OwnerLock | None:
        """Become the only process of this machine that works on something, such as a job's digest.

        Use it as a context: it is given back at the end of the block, and by the system when the
        process dies.

        Args:
            key: What is claimed: a job digest, a sweep id.
            wait_s: How long to wait for the present owner; 0 not at all, None for ever.
            on_wait: Told once whom we wait for.

        Returns:
            None if somebody else still has it.
        """
        lock = OwnerLock(self._claim_path(key))
        return lock if lock.acquire(wait_s=wait_s, on_wait=on_wait) else None

    def owner_of(self, key: str) -> Owner | None:
        """Who has a claim now; None if nobody has."""
        path = self._claim_path(key)
        return None if is_free(path) else read_owner(path)

    def stale_runs(self, tags: Mapping[str, str]) -> list[RunRecord]:
        """Runs that say RUNNING although the process that owned them is dead.

        A run of another machine is never called stale: nothing here can tell.

        Raises:
            TrackingError: If the store is away.
        """
        running = self.find_runs(tags, status=["RUNNING"])
        return [record for record in running if is_abandoned(record, self._locks)]

    def reap(self, tags: Mapping[str, str]) -> list[RunRecord]:
        """Mark stale runs as KILLED, with the reason; they can still be resumed.

        Raises:
            TrackingError: If the store is away.
        """
        reaped = []
        for record in self.stale_runs(tags):
            with suppress(TrackingError):  # somebody else has just taken it over
                run = self.resume_run(record.run_id)
                pid = record.tags.get("frostline.pid", "?")
                run.finish("KILLED", f"its process {pid} died without ending it")
                reaped.append(record)
        return reaped

    def deliver_pending(self) -> int:
        """Send what earlier processes left in journals, sweeps before their jobs.

        Returns:
            How many runs still have something undelivered.
        """
        left = 0
        for run_id in self._pending():
            lock = OwnerLock(life_lock(self._locks, run_id))
            if not self._link.is_worth_trying() or not lock.try_acquire(run_id):
                left += 1  # the store is away, or the run's owner is alive and will deliver
                continue
            journal = Journal(self._journals, run_id)
            states = [entry["status"] for entry in journal.entries if entry["op"] == "status"]
            ended = bool(states) and states[-1] in ENDED
            run = Run(run_id, run_id, link=self._link, journal=journal, life=lock, logged=set())
            done = run.deliver()
            # The lock's file stays with a run that never ended: it tells that its owner is dead.
            lock.release(remove=done and ended)
            left += not done
        return left

    def ui_command(self) -> str:
        """The line that opens MLflow's page on this store."""
        if self.address.kind == "server":
            return f"open {self.address.shown} in a browser"
        if self.address == resolve_address("sqlite:///mlflow.db", Path.cwd()):
            return "make ui"
        return f"python -m src.ui --uri {self.address.shown}"

    def _own(
        self, run_id: str, name: str, *, logged: set[tuple[str, int]] | None, key: str | None = None
    ) -> Run:
        """Take the lock that says that a run is alive."""
        key = key or run_id
        life = OwnerLock(life_lock(self._locks, key))
        if not life.try_acquire(run_id):
            raise TrackingError(
                f"run {run_id} is alive: it belongs to {read_owner(life.path)}",
                todo="wait for it, or end that process",
            )
        journal = Journal(self._journals, key)
        return Run(run_id, name, link=self._link, journal=journal, life=life, logged=logged)

    def _claim_path(self, key: str) -> Path:
        if not key or "/" in key:
            raise ValueError(f"a claim's key is a plain name, not {key!r}")
        return self._locks / f"claim-{key}.lock"

    def _pending(self) -> list[str]:
        """Runs with a journal: sweeps before jobs, since a job's run names its sweep's."""
        starts = {path.stem: _start(path) for path in self._journals.glob("*.jsonl")}

        def place(run_id: str) -> tuple[bool, int]:
            start = starts[run_id]
            # Not by time alone: both may begin in one millisecond, and clocks are set back.
            return start.get("tags", {}).get(PARENT_TAG) in starts, int(start.get("t", 0))

        return sorted(starts, key=place)


def _start(path: Path) -> Entry:
    entries = read_entries(path)
    return entries[0] if entries else {}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"

"""The tracking store: opened once; starts, resumes and amends runs."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from frostline.errors import TrackingError
from frostline.locks import Owner, OwnerLock, read_owner
from frostline.redact import redacted
from frostline.tracking.address import resolve_address
from frostline.tracking.backlog import deliver_backlog
from frostline.tracking.connection import Connection
from frostline.tracking.delivery import TAG_MAX_CHARS, as_text, logged_points
from frostline.tracking.journal import Journal
from frostline.tracking.machinery import MACHINERY_TAG, folded
from frostline.tracking.offline_runs import is_offline_id, local_name, new_offline_id
from frostline.tracking.outbox import Outbox
from frostline.tracking.ownership import (
    claim_lock_path,
    owner_tags,
    run_lock_path,
    user_name,
)
from frostline.tracking.reader import Reader
from frostline.tracking.records import ENDED, PARENT_TAG, RunRecord
from frostline.tracking.store_client import StoreClient
from frostline.tracking.store_errors import StoreUnavailableError, is_final
from frostline.tracking.store_reachable import check_file_exists
from frostline.tracking.tracked_run import Run


def open_store(
    uri: str | None,
    experiment: str,
    *,
    offline: bool = False,
    folder: Path | None = None,
    must_answer: bool = True,
    make: bool = True,
) -> "Store":
    """Open the store, make its schema and the experiment if needed, deliver what waits for it.

    Args:
        uri: An MLflow address; None means `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.
        experiment: Name of the experiment for new runs.
        offline: Keep everything in local journals and never try the store.
        folder: What relative addresses start from; None means the working directory.
        must_answer: Whether a store that does not answer is an error (at the start of a command),
            or runs begin in a journal (a job within a sweep).
        make: Whether a sqlite store that does not exist is made, or is an error (in commands that
            only read: a mistaken folder should not be left with an empty store).

    Raises:
        TrackingError: If the address cannot be used, or the store does not answer, is of another
            version, or cannot be written to.
    """
    address = resolve_address(uri, folder or Path.cwd())
    if not make:
        check_file_exists(address)
    store_client = StoreClient(Connection(address), experiment, offline=offline)
    store = Store(address, store_client)
    if offline:
        return store
    try:
        store_client.experiment_id(experiment)
    except StoreUnavailableError as error:
        if must_answer:
            raise
        store_client.failed(error)
        return store
    store.deliver_pending()
    return store


class Store(Reader):
    """One tracking store, as seen by one process; made by `open_store`."""

    def start_run(
        self,
        name: str,
        tags: Mapping[str, str],
        parent_run_id: str | None = None,
        *,
        experiment: str | None = None,
    ) -> Run:
        """Start a run, owned by this process until the run ends or the process dies.

        While the store does not answer, the run begins in a journal and gets its MLflow id later.

        Args:
            name: The name that people see.
            tags: Tags from the start.
            parent_run_id: The run of the sweep.
            experiment: Its name; None for the store's own.

        Raises:
            TrackingError: If the store refuses the run.
        """
        shown = {key: redacted(value) for key, value in tags.items()}
        all_tags, _ = as_text({"mlflow.user": user_name(), **owner_tags(), **shown}, TAG_MAX_CHARS)
        if parent_run_id is not None:
            all_tags[PARENT_TAG] = parent_run_id
        if self._store_client.is_worth_trying() and not is_offline_id(parent_run_id or ""):
            try:
                stored = folded(all_tags)
                made = self._store_client.client.create_run(
                    self._store_client.experiment_id(experiment or self.experiment),
                    tags=stored,
                    run_name=name,
                )
                self._store_client.worked()
                known = stored.get(MACHINERY_TAG, "")
                return self._own(made.info.run_id, name, folded_tags=known)
            except StoreUnavailableError as error:
                self._store_client.failed(error)
            except TrackingError:
                raise
            except Exception as error:
                if is_final(error):
                    reason = self._store_client.one_line(error)
                    raise TrackingError(f"the run {name} was refused: {reason}") from error
                self._store_client.failed(error)
        run = self._own(new_offline_id(), name)
        run.begin_offline(experiment or self.experiment, all_tags)
        return run

    def resume_run(self, run_id: str) -> Run:
        """Continue a run whose owner has ended or died; its state becomes RUNNING again.

        While the store does not answer, what is logged waits in the journal, and is compared with
        the store's history before it is delivered.

        Raises:
            TrackingError: If there is no such run, or its owner is alive.
        """
        logged: set[tuple[str, int]] | None = None
        try:
            record = self.get_run(run_id)
        except StoreUnavailableError as error:
            self._store_client.failed(error)
            record = RunRecord(run_id, run_id, self.experiment, "RUNNING", {}, {}, {}, 0, None)
        if is_offline_id(record.run_id):
            logged = set()
        elif self._store_client.is_worth_trying():
            try:
                logged = logged_points(self._store_client.client, record.run_id, record.metrics)
            except Exception as error:
                self._store_client.failed(error)
        run = self._own(record.run_id, record.name, logged=logged, local=local_name(record))
        run.resume(owner_tags())
        return run

    @contextmanager
    def amend_run(self, run_id: str) -> Iterator[Run]:
        """Add to a run that has ended, such as a report or an evaluation.

        The run's state, its start and its end stay as they are; this process owns it during the
        block. Use `log_artifact`, `log_text`, `log_dict`, `set_tags` and `log_metrics`, not
        `finish`. Metrics are not compared with the run's history: give them names of their own, or
        steps that the run does not have yet. If the store stops answering, the rest waits in the
        journal (`Run.undelivered`), and the next command delivers it.

        Example:
            with store.amend_run(record.run_id) as run:
                run.log_artifact(page, "report")

        Yields:
            The run.

        Raises:
            TrackingError: If there is no such run, it has not ended, another process is adding to
                it, or the store does not answer.
        """
        record = self.get_run(run_id)
        if record.status not in ENDED:
            raise TrackingError(
                f"run {record.name} ({run_id}) is {record.status}: it has not ended",
                todo="wait for it, or finish it with the command that started it",
            )
        run = self._own(record.run_id, record.name, local=local_name(record))
        try:
            yield run
        finally:
            run.release()

    def claim(
        self,
        key: str,
        *,
        wait_s: float | None = None,
        on_wait: Callable[[Owner | None], None] | None = None,
    ) -> OwnerLock | None:
        """Become the only process of this machine that works on something, such as a job's digest.

        Use it as a context manager: it is released at the end of the block, and by the system if
        the process dies.

        Args:
            key: What is claimed: a job digest, a sweep id.
            wait_s: How long to wait for the present owner; 0 not at all, None without a limit.
            on_wait: Called once, with the present owner, if there is something to wait for.

        Returns:
            None if another process still has it.
        """
        lock = OwnerLock(claim_lock_path(self.address.locks_dir, key))
        return lock if lock.acquire(wait_s=wait_s, on_wait=on_wait) else None

    def deliver_pending(self) -> int:
        """Send what earlier processes left in journals.

        Returns:
            How many runs still have something undelivered.
        """
        return deliver_backlog(self.address, self._store_client)

    def _own(
        self,
        run_id: str,
        name: str,
        *,
        logged: Iterable[tuple[str, int]] | None = (),
        local: str | None = None,
        folded_tags: str | None = None,
    ) -> Run:
        """Take a run's lock.

        Args:
            run_id: The run.
            name: Its name.
            logged: Its (metric, step) pairs so far; None if the store could not be asked.
            local: Name of its journal and lock; None means `run_id`.
            folded_tags: The tag of its folded tags, where the run is new.
        """
        local = local or run_id
        lock = OwnerLock(run_lock_path(self.address.locks_dir, local))
        if not lock.try_acquire(run_id):
            raise TrackingError(
                f"run {run_id} is still running: it belongs to {read_owner(lock.path)}",
                todo="wait for it, or end that process",
            )
        identity = self._store_client.connection.identity
        journal = Journal(self.address.journals_dir, local, identity)
        unknown = logged is None
        outbox = Outbox(
            run_id,
            name,
            store_client=self._store_client,
            journal=journal,
            check_history=unknown,
            folded_tags=folded_tags,
        )
        return Run(outbox, lock, logged or ())

"""The life of one run: what is logged goes to the store, or to a journal until the store is back.

Nothing here raises while a model trains: a tracking error is a warning and an entry of `problems`,
and never takes the place of a training error.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import yaml

from src.tracking.delivery import (
    BATCHED,
    PARAM_MAX_CHARS,
    TAG_MAX_CHARS,
    artifact_entry,
    as_text,
    create_run,
    find_local,
    is_local,
    send,
    send_all,
    send_batch,
)
from src.tracking.explain import is_final
from src.tracking.journal import Entry, Journal
from src.tracking.link import Link
from src.tracking.locks import OwnerLock

_log = logging.getLogger(__name__)

EndStatus = Literal["FINISHED", "FAILED", "KILLED"]


class Run:
    """A run that this process owns; made by `Store.start_run` and `Store.resume_run`.

    Args:
        run_id: MLflow's id, or `offline-...` until the store knows the run.
        name: The run's name.
        link: The link to the store.
        journal: Where entries wait.
        life: The lock that this process holds while the run lives.
        logged: The (metric, step) pairs logged before; None if the store could not be asked.
    """

    def __init__(
        self,
        run_id: str,
        name: str,
        *,
        link: Link,
        journal: Journal,
        life: OwnerLock,
        logged: set[tuple[str, int]] | None,
    ) -> None:
        self.run_id = run_id
        self.name = name
        self.problems: list[str] = []
        self._link = link
        self._journal = journal
        self._life = life
        self._gathered: list[Entry] | None = None
        self._ask_history = logged is None
        self._logged = set() if logged is None else set(logged)
        self._logged |= {
            (key, int(entry["step"]))
            for entry in journal.entries
            if entry["op"] == "metrics"
            for key in entry["values"]
        }

    @property
    def undelivered(self) -> int:
        """How many entries the store has not confirmed."""
        return len(self._journal.entries)

    def begin(self, experiment: str, tags: Mapping[str, str]) -> None:
        """Write down the start of a run that the store cannot be told of now."""
        entry = {"op": "create", "t": _now_ms(), "name": self.name, "experiment": experiment}
        self._guard(self._journal.append, {**entry, "tags": dict(tags)})

    def go_on(self, tags: Mapping[str, str]) -> None:
        """Make an ended or abandoned run a running one again, under a new owner."""
        self._keep_or_send({"op": "status", "status": "RUNNING", "t": _now_ms()})
        self._keep_or_send({"op": "untag", "key": "frostline.failure"})
        self.set_tags(tags)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters, each up to 6000 characters; longer ones are cut, with a warning."""
        self._log_texts("params", params, PARAM_MAX_CHARS)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags, each up to 8000 characters; longer ones are cut, with a warning."""
        self._log_texts("tags", tags, TAG_MAX_CHARS)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log the metrics of one epoch as one batch; what a resumed run has already is left out.

        Args:
            metrics: Name to value; NaN and infinity are allowed.
            step: The epoch, from 0.
        """
        fresh = {
            key: float(value) for key, value in metrics.items() if (key, step) not in self._logged
        }
        if fresh:
            self._logged |= {(key, step) for key in fresh}
            self._keep_or_send({"op": "metrics", "t": _now_ms(), "step": step, "values": fresh})

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
                    self._keep_or_send(entry)

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

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Log a file or a folder.

        Args:
            path: The local file or folder; it is copied, also when the store is away.
            folder: Where it goes within the run's artifacts, such as `checkpoints`.
        """
        if not path.exists():
            self._problem(f"artifact {path}: there is no such file")
            return
        self._keep_or_send(artifact_entry(path.absolute(), folder))

    def log_dataset(
        self, name: str, *, digest: str, source: str, profile: Mapping[str, Any]
    ) -> None:
        """Log what the run was trained on, where MLflow's page shows data sets.

        Args:
            name: Short name.
            digest: The fingerprint; MLflow keeps its first 36 characters.
            source: Where the images come from.
            profile: Counts and the like, as plain values.
        """
        self._keep_or_send(
            {
                "op": "dataset",
                "name": name,
                "digest": digest,
                "source": source,
                "profile": dict(profile),
            }
        )

    def log_text(self, text: str, path: str) -> None:
        """Log a text as an artifact, such as `traceback.txt`."""
        self._keep_or_send({"op": "text", "path": path, "text": text})

    def log_dict(self, values: Mapping[str, Any], path: str) -> None:
        """Log plain values as an artifact: JSON, or YAML where the name ends in .yaml."""
        if path.endswith((".yaml", ".yml")):
            text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
        else:
            text = json.dumps(values, indent=2, ensure_ascii=False)
        self.log_text(text, path)

    def finish(self, status: EndStatus, reason: str = "") -> bool:
        """End the run and give up its ownership.

        Args:
            status: How it ended.
            reason: Why, for FAILED and KILLED: the tag `frostline.failure`.

        Returns:
            Whether the store has everything; if not, a later call delivers the rest.
        """
        if reason:
            self.set_tags({"frostline.failure": reason})
        self._keep_or_send({"op": "status", "status": status, "t": _now_ms()})
        return self.leave()

    def leave(self) -> bool:
        """Give up the ownership of a run, whose state stays as it is.

        Returns:
            Whether the store has everything; if not, a later call delivers the rest.
        """
        if self._journal.entries and not self._link.offline:
            self.deliver()
        self._guard(self._life.release)
        if self._journal.entries and not self._link.offline:
            _log.warning(
                "run %s: %d entries wait in %s for the store; the next call delivers them",
                self.name,
                self.undelivered,
                self._journal.path,
            )
        return not self._journal.entries

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
        except Exception as error:
            self._link.failed(error)
        if delivered or (created and len(entries) == 1 and not is_local(self.run_id)):
            self._guard(self._journal.keep_from, delivered + created)
        return not self._journal.entries

    def _find_or_create(self, first: Entry) -> str:
        local_id = self._journal.run_id
        if first["op"] != "create":
            found = find_local(self._link.client, local_id)
            if found is None:
                raise LookupError(f"the run {local_id} is not in the store, and its start is lost")
            return found
        experiment = self._link.experiment_id(first["experiment"])
        return create_run(self._link.client, experiment, local_id, first)

    def _log_texts(self, op: str, values: Mapping[str, Any], limit_chars: int) -> None:
        texts, cut = as_text(dict(values), limit_chars)
        for key in cut:
            self._problem(f"{op} {key}: cut to {limit_chars} characters")
        if texts:
            self._keep_or_send({"op": op, "values": texts})

    def _keep_or_send(self, entry: Entry) -> None:
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
            except Exception as error:
                if is_final(error):
                    self._refused(entry, error)
                    return
                self._link.failed(error)
        self._guard(self._keep, entry)
        if self._ask_history and self._link.is_worth_trying():
            self.deliver()

    def _keep(self, entry: Entry) -> None:
        if entry["op"] == "artifact":
            kept = self._journal.keep_file(Path(entry["file"]))
            entry = {**entry, "file": str(kept)}
        self._journal.append(entry)

    def _refused(self, entry: Entry, error: BaseException) -> None:
        what = entry.get("values") or entry.get("path") or entry.get("file") or entry["op"]
        names = ", ".join(what) if isinstance(what, dict) else str(what)
        reason = " ".join(str(error).split())[:300]
        self._problem(f"{entry['op']} {names}: refused by the store: {reason}")

    def _problem(self, text: str) -> None:
        self.problems.append(text)
        _log.warning("run %s: %s", self.name, text)

    def _guard(self, action: Any, *args: Any) -> None:
        try:
            action(*args)
        except Exception as error:
            self._problem(f"{type(error).__name__}: {error}")


def _now_ms() -> int:
    return int(time.time() * 1000)

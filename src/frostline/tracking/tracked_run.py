"""A run that this process owns: what is logged to it, and how it ends."""

import json
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

from frostline.locks import OwnerLock
from frostline.redact import redacted
from frostline.tracking.delivery import PARAM_MAX_CHARS, TAG_MAX_CHARS, artifact_entry, as_text
from frostline.tracking.outbox import Outbox
from frostline.tracking.records import DROPPED, WAITS
from frostline.yaml_text import yaml_text

EndStatus = Literal["FINISHED", "FAILED", "KILLED", "SCHEDULED"]


class Run:
    """One run; made by `Store.start_run`, `Store.resume_run` and `Store.amend_run`.

    It knows what can be logged and who owns the run; how entries reach the store is
    `frostline.tracking.outbox.Outbox`.

    Args:
        outbox: Sends the run's entries to the store.
        lock: The lock that this process holds while it owns the run.
        logged: The (metric, step) pairs logged before, which are not logged again.
    """

    def __init__(
        self, outbox: Outbox, lock: OwnerLock, logged: Iterable[tuple[str, int]] = ()
    ) -> None:
        self._outbox = outbox
        self._lock = lock
        self._logged = set(logged)
        self._logged |= {
            (key, int(entry["step"]))
            for entry in outbox.waiting
            if entry["op"] == "metrics"
            for key in entry["values"]
        }

    @property
    def run_id(self) -> str:
        """MLflow's id, or `offline-...` until the store has the run."""
        return self._outbox.run_id

    @property
    def name(self) -> str:
        """The run's name."""
        return self._outbox.name

    @property
    def problems(self) -> list[str]:
        """What went wrong with tracking so far."""
        return self._outbox.undelivered.problems

    @property
    def undelivered(self) -> int:
        """How many entries the store has not confirmed."""
        return len(self._outbox.waiting)

    def begin_offline(self, experiment: str, tags: Mapping[str, str]) -> None:
        """Write the start of a run into the journal, as the store does not answer now."""
        entry = {"op": "create", "t": _now_ms(), "name": self.name, "experiment": experiment}
        self._outbox.put_in_journal({**entry, "tags": dict(tags)})

    def resume(self, tags: Mapping[str, str]) -> None:
        """Set an ended or abandoned run to RUNNING again, under a new owner.

        Args:
            tags: The new owner's.
        """
        self._outbox.put({"op": "status", "status": "RUNNING", "t": _now_ms()})
        for tag in ("frostline.failure", DROPPED, WAITS):
            self._outbox.put({"op": "untag", "key": tag})
        self.set_tags(tags)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters, each up to 6000 characters; longer ones are cut, with a warning."""
        self._log_texts("params", params, PARAM_MAX_CHARS)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags, each up to 8000 characters; longer ones are cut, with a warning.

        Tags hold commands and errors, so secrets in them are hidden.
        """
        shown = {key: redacted(str(value)) for key, value in tags.items() if value is not None}
        self._log_texts("tags", {**tags, **shown}, TAG_MAX_CHARS)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log the metrics of one epoch in one request, without those that the run has already.

        Args:
            metrics: Name to value; NaN and infinity are allowed.
            step: The epoch, from 0.
        """
        new = {
            key: float(value) for key, value in metrics.items() if (key, step) not in self._logged
        }
        if new:
            self._logged |= {(key, step) for key in new}
            self._outbox.put({"op": "metrics", "t": _now_ms(), "step": step, "values": new})

    def batched(self) -> AbstractContextManager[None]:
        """Collect parameters, tags and metrics in a block, and send them in one request.

        If that fails, they are sent, or added to the journal, one by one.
        """
        return self._outbox.batched()

    def held(self) -> AbstractContextManager[None]:
        """Hold parameters, tags and metrics back in a block, until `flush` or its end sends them.

        A process that is killed loses what is held, so only for what a resumed run logs again.
        """
        return self._outbox.held()

    def flush(self) -> None:
        """Send what is held back, in one request."""
        self._outbox.flush()

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Log a file or a folder.

        Args:
            path: The local file or folder; it is copied, also while the store is down.
            folder: Where it goes within the run's artifacts, such as `checkpoints`.
        """
        if not path.exists():
            self._outbox.undelivered.problem(f"artifact {path}: there is no such file")
            return
        self._outbox.put(artifact_entry(path.absolute(), folder))

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
        self._outbox.put(
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
        self._outbox.put({"op": "text", "path": path, "text": text})

    def log_dict(self, values: Mapping[str, Any], path: str) -> None:
        """Log plain values as an artifact: JSON, or YAML where the name ends in .yaml."""
        if path.endswith((".yaml", ".yml")):
            text = yaml_text(dict(values))
        else:
            text = json.dumps(values, indent=2, ensure_ascii=False)
        self.log_text(text, path)

    def raise_if_lost(self) -> None:
        """Refuse to end as finished where files of the run have found room nowhere.

        Raises:
            OSError: With the first of them, and why.
        """
        self._outbox.undelivered.raise_if_lost()

    def finish(self, status: EndStatus, reason: str = "") -> bool:
        """End the run and release its ownership.

        Args:
            status: How it ended; SCHEDULED where it pauses, and is to be resumed.
            reason: Why, for FAILED and KILLED: the tag `frostline.failure`; for SCHEDULED what it
                waits for: `frostline.waits`.

        Returns:
            Whether the store has everything; if not, a later command delivers the rest.
        """
        if reason:
            self.set_tags({WAITS if status == "SCHEDULED" else "frostline.failure": reason})
        self._outbox.put({"op": "status", "status": status, "t": _now_ms()})
        return self.release()

    def release(self) -> bool:
        """Deliver what waits and release the ownership; the run's state stays as it is.

        Returns:
            Whether the store has everything; if not, a later command delivers the rest.
        """
        self._outbox.deliver()
        self._outbox.undelivered.guard(self._lock.release)
        self._outbox.undelivered.warn_of_waiting()
        return not self.undelivered

    def _log_texts(self, op: str, values: Mapping[str, Any], limit_chars: int) -> None:
        texts, cut = as_text(dict(values), limit_chars)
        for key in cut:
            self._outbox.undelivered.problem(f"{op} {key}: cut to {limit_chars} characters")
        if texts:
            self._outbox.put({"op": op, "values": texts})


def _now_ms() -> int:
    return int(time.time() * 1000)

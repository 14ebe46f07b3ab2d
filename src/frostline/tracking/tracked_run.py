"""The life of one run: begun or gone on with, logged to, ended; its outbox does the sending."""

import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import yaml

from frostline.locks import OwnerLock
from frostline.tracking.availability import Link
from frostline.tracking.delivery import PARAM_MAX_CHARS, TAG_MAX_CHARS, artifact_entry, as_text
from frostline.tracking.journal import Journal
from frostline.tracking.outbox import Outbox

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
        self._outbox = Outbox(run_id, name, link=link, journal=journal, ask_history=logged is None)
        self._life = life
        self._logged = set() if logged is None else set(logged)
        self._logged |= {
            (key, int(entry["step"]))
            for entry in journal.entries
            if entry["op"] == "metrics"
            for key in entry["values"]
        }

    @property
    def run_id(self) -> str:
        """MLflow's id, or `offline-...` until the store knows the run."""
        return self._outbox.run_id

    @property
    def name(self) -> str:
        """The run's name."""
        return self._outbox.name

    @property
    def problems(self) -> list[str]:
        """What went wrong with tracking so far."""
        return self._outbox.problems

    @property
    def undelivered(self) -> int:
        """How many entries the store has not confirmed."""
        return self._outbox.waiting

    def begin(self, experiment: str, tags: Mapping[str, str]) -> None:
        """Write down the start of a run that the store cannot be told of now."""
        entry = {"op": "create", "t": _now_ms(), "name": self.name, "experiment": experiment}
        self._outbox.keep({**entry, "tags": dict(tags)})

    def go_on(self, tags: Mapping[str, str]) -> None:
        """Make an ended or abandoned run a running one again, under a new owner."""
        self._outbox.put({"op": "status", "status": "RUNNING", "t": _now_ms()})
        self._outbox.put({"op": "untag", "key": "frostline.failure"})
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
            self._outbox.put({"op": "metrics", "t": _now_ms(), "step": step, "values": fresh})

    def at_once(self) -> AbstractContextManager[None]:
        """Gather parameters, tags and metrics, and send them as one at the end of the block.

        Nothing else about them changes: what cannot be sent as one is sent, or kept, one by one.
        """
        return self._outbox.at_once()

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Log a file or a folder.

        Args:
            path: The local file or folder; it is copied, also when the store is away.
            folder: Where it goes within the run's artifacts, such as `checkpoints`.
        """
        if not path.exists():
            self._outbox.problem(f"artifact {path}: there is no such file")
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
        self._outbox.put({"op": "status", "status": status, "t": _now_ms()})
        return self.leave()

    def leave(self) -> bool:
        """Give up the ownership of a run, whose state stays as it is.

        Returns:
            Whether the store has everything; if not, a later call delivers the rest.
        """
        self.deliver()
        self._outbox.guard(self._life.release)
        self._outbox.report_waiting()
        return not self.undelivered

    def deliver(self) -> bool:
        """Send now what waits in the journal.

        Returns:
            Whether nothing is left.
        """
        return self._outbox.deliver()

    def _log_texts(self, op: str, values: Mapping[str, Any], limit_chars: int) -> None:
        texts, cut = as_text(dict(values), limit_chars)
        for key in cut:
            self._outbox.problem(f"{op} {key}: cut to {limit_chars} characters")
        if texts:
            self._outbox.put({"op": op, "values": texts})


def _now_ms() -> int:
    return int(time.time() * 1000)

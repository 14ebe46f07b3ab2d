"""One process's client of its store: whether it answers, and when to try it again.

Training never waits for a store that does not answer.
"""

import logging
import time
from typing import TYPE_CHECKING

from frostline.tracking.connection import Connection
from frostline.tracking.experiment import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient

_log = logging.getLogger(__name__)
_FIRST_PAUSE_S = 10.0
_MAX_PAUSE_S = 120.0


class StoreClient:
    """One process's client of its store, shared by the runs of that process.

    Args:
        connection: The store's connection.
        experiment: Name of the experiment that new runs belong to.
        offline: Keep everything in local journals and never try the store.
    """

    def __init__(self, connection: Connection, experiment: str, *, offline: bool) -> None:
        self.connection = connection
        self.experiment = experiment
        self.offline = offline
        self._experiment_ids: dict[str, str] = {}
        self._pause_s = 0.0
        self._next_try_s = 0.0

    @property
    def client(self) -> "MlflowClient":
        """The store's client."""
        return self.connection.client

    @property
    def is_down(self) -> bool:
        """Whether the last try failed."""
        return self._pause_s > 0

    def is_worth_trying(self) -> bool:
        """Whether to try the store now; each try of a dead server costs seconds."""
        return not self.offline and time.monotonic() >= self._next_try_s

    def failed(self, error: BaseException) -> None:
        """Note that the store did not answer, and warn of it once per outage."""
        if not self.is_down:
            reason = self.one_line(error)[:200]
            _log.warning(
                "the tracking store %s cannot be reached (%s); training continues, and what it "
                "logs is kept in %s and delivered when the store is back, or by the next command",
                self.connection.address.shown,
                reason,
                self.connection.address.journals_dir,
            )
        self._pause_s = min(max(_FIRST_PAUSE_S, 2 * self._pause_s), _MAX_PAUSE_S)
        self._next_try_s = time.monotonic() + self._pause_s

    def worked(self) -> None:
        """Note that the store answered."""
        if self.is_down:
            _log.warning("the tracking store %s is back", self.connection.address.shown)
        self._pause_s = self._next_try_s = 0.0

    def answers(self) -> bool:
        """Ask the store something small: whether it answers, whatever it made of a request."""
        try:
            self.client.search_experiments(max_results=1)
        except Exception:
            return False
        return True

    def one_line(self, error: BaseException) -> str:
        """An error in one line, without the store's secrets."""
        return " ".join(self.connection.address.hide(str(error)).split())

    def experiment_id(self, name: str) -> str:
        """The id of an experiment, made if it does not exist.

        Raises:
            TrackingError: If it was deleted, or the store fails.
        """
        if name not in self._experiment_ids:
            self._experiment_ids[name] = experiment_id(self.connection, name)
        return self._experiment_ids[name]

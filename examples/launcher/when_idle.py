"""A launcher that waits for a machine with little to do, and then runs jobs as Frostline does."""

import os
import sys
import time
from collections.abc import Sequence

from hydra.core.utils import JobReturn

from hydra_plugins.frostline import IsolatedLauncher


class WhenIdle(IsolatedLauncher):
    """Frostline's own launcher, after a wait.

    Args:
        max_load: Begin below this load average of one minute.
        poll_s: Look again after this many seconds.
        jobs_per_process: See IsolatedLauncher.
    """

    def __init__(self, max_load: float, poll_s: float, jobs_per_process: int | None) -> None:
        super().__init__(jobs_per_process)
        self.max_load = max_load
        self.poll_s = poll_s

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Wait, then run the jobs."""
        while os.getloadavg()[0] >= self.max_load:
            time.sleep(self.poll_s)
        print(f"when_idle: {len(job_overrides)} jobs begin", file=sys.stderr)
        return super().launch(job_overrides, initial_job_idx)

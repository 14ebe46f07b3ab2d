"""Everything at once, at random moments: kills, stops, full disks, a store away, data that change.

python -m tests.faults.chaos --seconds 600 --seed 0

A sweep of tiny jobs is started again and again, and each time hit by a fault drawn from a seed.
Then it is left alone, with each state of the data that has runs; and it is proved that every run
that the faults left has ended as itself, that no job stands twice, that every figure can be
computed again from predictions, that no run stands under a digest that its data do not have, and
that an undisturbed sweep comes to the same.
"""

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.faults.chaos_proof import prove
from tests.faults.chaos_sweep import (
    EPOCHS,
    FIRST,
    LONGEST_S,
    PER_CLASS,
    ChaosSweep,
    change_photo,
    end,
    family,
)
from tests.integration.conftest import environment

# What files may take on a full disk: no checkpoint; nor the database; nor the evidence.
ROOM_BYTES = (1_400_000, 1_000_000, 20_000)
CHANGED_PHOTOS = 5
# Of the sweeps that are struck.
SHARE_IN_JOBS = 0.7


class Chaos:
    """Faults that strike a sweep.

    Args:
        folder: Where the sweep runs.
        jobs: How many jobs it has at first; two more each time that it came to its end.
        seed: Of the faults.
    """

    def __init__(self, folder: Path, *, jobs: int, seed: int) -> None:
        self.sweep = ChaosSweep(folder, jobs)
        self.random = random.Random(seed)
        # Which faults struck a sweep that was alive, and how often.
        self.hits: Counter[str] = Counter()
        self._lived = False

    def run(self, seconds: float, most_s: float) -> None:
        """Strike until the time is over, then let the sweep end and prove that all is right.

        Args:
            seconds: How long faults strike.
            most_s: The longest time from a sweep's start, or that of a job, to its fault.
        """
        faults: list[Callable[[float], None]] = [
            self._kill_one, self._kill_all, self._ask_to_end, self._stop_and_go_on,
            self._fill_the_disk, self._cut_the_store, self._change_data, self._begin_twice,
        ]  # fmt: skip
        # Each once in an order of the seed's, then any.
        waiting = self.random.sample(faults, len(faults))
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            fault = waiting.pop() if waiting else self.random.choice(faults)
            name = fault.__name__.strip("_")
            self._lived = False
            begun_s = time.monotonic()
            fault(self.random.uniform(0, most_s))
            self.hits[name] += self._lived
            if not self.hits[name]:
                waiting.insert(0, fault)  # it found a sweep that had ended
            print(f"{name} {time.monotonic() - begun_s:.0f} s", flush=True)
        assert self.hits.total(), "no fault struck a sweep that was alive"
        self.sweep.show_photos(FIRST)
        proven = prove(self.sweep)
        print(
            f"proved: {self.sweep.jobs} jobs of {EPOCHS} epochs, {self.sweep.starts} sweeps begun, "
            f"{proven}; {self.hits.total()} faults struck: {dict(self.hits)}",
            flush=True,
        )

    def _begin(self, *, file_limit_bytes: int | None = None) -> subprocess.Popen[bytes]:
        """Begin the sweep; most are struck only after a job has started, however slow the machine.

        The others are struck while they load and plan.
        """
        before = self.sweep.started_jobs()
        process = self.sweep.start(file_limit_bytes=file_limit_bytes)
        if self.random.random() < SHARE_IN_JOBS:
            while process.poll() is None and self.sweep.started_jobs() <= before:
                time.sleep(0.05)
        return process

    def _let_live(self, process: subprocess.Popen[bytes], life_s: float) -> bool:
        """Wait; whether the process still lives then. One that has done all gets more to do."""
        try:
            code = process.wait(life_s)
        except subprocess.TimeoutExpired:
            self._lived = True
            return True
        if code == 0:
            self.sweep.jobs += 2
        return False

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        end(family(process))
        process.wait(LONGEST_S)

    def _kill_one(self, life_s: float) -> None:
        """SIGKILL for one process: the sweep, its fork server, or a job."""
        process = self._begin()
        if self._let_live(process, life_s) and (all_of_it := family(process)):
            self.random.choice(all_of_it).kill()
            process.wait(LONGEST_S)
            end(all_of_it, kill=False)

    def _kill_all(self, life_s: float) -> None:
        process = self._begin()
        if self._let_live(process, life_s):
            self._kill(process)

    def _ask_to_end(self, life_s: float) -> None:
        process = self._begin()
        if self._let_live(process, life_s):
            all_of_it = family(process)
            os.killpg(process.pid, self.random.choice((signal.SIGTERM, signal.SIGINT)))
            process.wait(LONGEST_S)
            end(all_of_it, kill=False)

    def _stop_and_go_on(self, life_s: float) -> None:
        """SIGSTOP for a while; then it goes on as if nothing had been."""
        process = self._begin()
        if self._let_live(process, life_s):
            for number in (signal.SIGSTOP, signal.SIGCONT):
                for one in family(process):
                    if one.is_running():
                        one.send_signal(number)
                time.sleep(1)
            self._let_live(process, life_s)
            self._kill(process)

    def _fill_the_disk(self, life_s: float) -> None:
        process = self._begin(file_limit_bytes=self.random.choice(ROOM_BYTES))
        if self._let_live(process, 2 * life_s):
            self._kill(process)

    def _cut_the_store(self, life_s: float) -> None:
        """Nobody but another program gets at the database, longer than writers wait."""
        process = self._begin()
        if self._let_live(process, life_s):
            database = self.sweep.folder / "mlflow.db"
            if database.exists():
                other = sqlite3.connect(database, timeout=60, isolation_level=None)
                other.execute("BEGIN EXCLUSIVE")
                self._let_live(process, self.random.uniform(2, 20))
                other.execute("ROLLBACK")
                other.close()
            self._let_live(process, life_s)
            self._kill(process)

    def _change_data(self, life_s: float) -> None:
        """Some images are replaced while the sweep runs, and later put back."""
        process = self._begin()
        if self._let_live(process, life_s):
            for number in self.random.sample(range(PER_CLASS), CHANGED_PHOTOS):
                path = self.sweep.photos / f"rising/{number}.png"
                change_photo(path, self.random.randrange(256))
            self.sweep.keep_photos(f"changed-{len(self.sweep.states)}")
            self._let_live(process, life_s)
            self._kill(process)
        self.sweep.show_photos(FIRST)

    def _begin_twice(self, life_s: float) -> None:
        """The same sweep twice at once, of which one is killed and the other goes on."""
        processes = [self.sweep.start(), self._begin()]
        self.random.shuffle(processes)
        struck, other = processes
        self._let_live(struck, life_s)
        self._kill(struck)
        self._let_live(other, life_s)
        self._kill(other)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=12)
    parser.add_argument("--most-s", type=float, default=15, help="seconds until a fault")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"in {folder}, which stays if a proof fails", flush=True)
    os.environ |= environment(folder)
    begun_s = time.monotonic()
    Chaos(folder, jobs=given.jobs, seed=given.seed).run(given.seconds, given.most_s)
    print(f"seed {given.seed}: {time.monotonic() - begun_s:.0f} s")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()

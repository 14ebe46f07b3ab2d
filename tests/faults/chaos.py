"""Everything at once, at random moments: kills, stops, full disks, a store away, data that change.

python -m tests.faults.chaos --seconds 600 --seed 0

A sweep of tiny jobs is started again and again, and each time hit by a fault drawn from a seed.
Then it is left alone with the first data, and it is proved that every run is whole or can be
resumed, that no job stands twice, that every figure can be computed again from its predictions, and
that no run stands under a digest that its data do not have.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from PIL import Image

from tests.faults.chaos_proof import prove
from tests.integration.conftest import draw_classes, environment

# What a full disk still takes of each file: the database as it is, no checkpoint.
ROOM_BYTES = 1_000_000
LONGEST_S = 400
EPOCHS = 3


@dataclass
class Chaos:
    """A folder in which a sweep lives through faults.

    Attributes:
        folder: Photos, store and logs lie here.
        jobs: How many jobs the sweep has; two more each time that it came to its end.
        seed: Of the faults.
        hits: Which faults struck a sweep that was alive, and how often.
        starts: How many sweeps were begun.
    """

    folder: Path
    jobs: int
    seed: int
    hits: Counter[str] = field(default_factory=Counter)
    starts: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self._lived = False
        self.log = self.folder / "chaos.log"
        self.kept = self.folder / "kept"
        draw_classes(self.folder / "photos", per_class=16)
        shutil.copytree(self.folder / "photos", self.kept)

    def run(self, seconds: float, most_s: float) -> None:
        """Strike until the time is over, then let the sweep end and prove that all is right.

        Args:
            seconds: How long faults strike.
            most_s: The longest time from a sweep's start to its fault.
        """
        faults: list[Callable[[float], None]] = [
            self._kill_one, self._kill_all, self._ask_to_end, self._stop_and_go_on,
            self._fill_the_disk, self._cut_the_store, self._change_data,
        ]  # fmt: skip
        # Each once in an order of the seed's, then any.
        waiting = self.random.sample(faults, len(faults))
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            fault = waiting.pop() if waiting else self.random.choice(faults)
            name = fault.__name__.strip("_")
            print(f"{name}", flush=True)
            self._lived = False
            fault(self.random.uniform(0, most_s))
            self.hits[name] += self._lived
        self._put_back_data()
        self._end_alone()
        proven = prove(self.folder, jobs=self.jobs, epochs=EPOCHS)
        print(
            f"proved: {self.jobs} jobs, {self.starts} sweeps begun, {proven}; "
            f"{self.hits.total()} faults struck: {dict(self.hits)}",
            flush=True,
        )

    def _start(self, limit: int | None = None) -> subprocess.Popen[bytes]:
        def restrict() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        self.starts += 1
        with self.log.open("a") as out:
            return subprocess.Popen(
                self._command(),
                cwd=self.folder,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=restrict,
            )

    def _command(self) -> list[str]:
        return [
            sys.executable, "-m", "src.train", "-m", "backbone=test_resnet", "weights=random",
            "image_size=32", "data=folder", "data.path=photos", "data.split_seed=0",
            f"epochs={EPOCHS}", "freeze=0,all", "lr=0.003", "report=false",
            "seed=" + ",".join(map(str, range(self.jobs // 2))),
        ]  # fmt: skip

    def _let_live(self, process: subprocess.Popen[bytes], life_s: float) -> bool:
        """Wait; whether the process still lives then. One that has done all gets more to do."""
        try:
            code = process.wait(life_s)
        except subprocess.TimeoutExpired:
            self._lived = True
            return True
        if code == 0:
            self.jobs += 2
        return False

    def _family(self, process: subprocess.Popen[bytes]) -> list[psutil.Process]:
        try:
            parent = psutil.Process(process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _end(self, family: list[psutil.Process], *, kill: bool = True) -> None:
        """Wait for all processes; they end by themselves with the sweep, or are killed."""
        for one in family if kill else []:
            if one.is_running():
                one.kill()
        _, alive = psutil.wait_procs(family, timeout=LONGEST_S)
        assert not alive, f"processes outlive their sweep: {alive}"

    def _kill_one(self, life_s: float) -> None:
        """SIGKILL for one process: the sweep, its fork server, or a job."""
        process = self._start()
        if self._let_live(process, life_s) and (family := self._family(process)):
            self.random.choice(family).kill()
            process.wait(LONGEST_S)
            self._end(family, kill=False)

    def _kill_all(self, life_s: float) -> None:
        process = self._start()
        if self._let_live(process, life_s):
            self._end(self._family(process))
            process.wait(LONGEST_S)

    def _ask_to_end(self, life_s: float) -> None:
        process = self._start()
        if self._let_live(process, life_s):
            family = self._family(process)
            os.killpg(process.pid, self.random.choice((signal.SIGTERM, signal.SIGINT)))
            process.wait(LONGEST_S)
            self._end(family, kill=False)

    def _stop_and_go_on(self, life_s: float) -> None:
        """SIGSTOP for a while; then it goes on as if nothing had been."""
        process = self._start()
        if self._let_live(process, life_s):
            for number in (signal.SIGSTOP, signal.SIGCONT):
                for one in self._family(process):
                    if one.is_running():
                        one.send_signal(number)
                time.sleep(1)
            self._let_live(process, life_s)
            self._end(self._family(process))
            process.wait(LONGEST_S)

    def _fill_the_disk(self, life_s: float) -> None:
        """Files take no byte beyond a limit: checkpoints do not fit."""
        process = self._start(ROOM_BYTES)
        if self._let_live(process, 2 * life_s):
            self._end(self._family(process))
            process.wait(LONGEST_S)

    def _cut_the_store(self, life_s: float) -> None:
        """Nobody but another program gets at the database, longer than writers wait."""
        process = self._start()
        if self._let_live(process, life_s):
            if (self.folder / "mlflow.db").exists():
                other = sqlite3.connect(self.folder / "mlflow.db", timeout=60, isolation_level=None)
                other.execute("BEGIN EXCLUSIVE")
                self._let_live(process, self.random.uniform(2, 20))
                other.execute("ROLLBACK")
                other.close()
            self._let_live(process, life_s)
            self._end(self._family(process))
            process.wait(LONGEST_S)

    def _change_data(self, life_s: float) -> None:
        """Some images are replaced while the sweep runs, and later put back."""
        process = self._start()
        if self._let_live(process, life_s):
            for number in self.random.sample(range(16), 5):
                image = Image.new("RGB", (32, 32), (self.random.randrange(256), 9, 9))
                image.save(self.folder / f"photos/rising/{number}.png")
            self._let_live(process, life_s)
            self._end(self._family(process))
            process.wait(LONGEST_S)
        self._put_back_data()

    def _put_back_data(self) -> None:
        shutil.rmtree(self.folder / "photos")
        shutil.copytree(self.kept, self.folder / "photos")

    def _end_alone(self) -> None:
        # Twice at most: a job that a fault left FAILED is trained again.
        for _ in range(2):
            if self._start().wait(2 * LONGEST_S) == 0:
                return
        raise AssertionError(self.log.read_text()[-3000:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=12)
    parser.add_argument("--most-s", type=float, default=20, help="seconds until a fault")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= environment(folder)
        begun_s = time.monotonic()
        Chaos(folder, given.jobs, given.seed).run(given.seconds, given.most_s)
        print(f"seed {given.seed}: {time.monotonic() - begun_s:.0f} s")


if __name__ == "__main__":
    main()

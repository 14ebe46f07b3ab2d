"""Kill a sweep of tiny jobs again and again: all finish once, none twice, none lost.

python -m tests.faults.soak --jobs 64 --kills 10
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]


def sweep(jobs: int) -> list[str]:
    seeds = ",".join(map(str, range(jobs)))
    return [
        sys.executable,
        "-m",
        "src.train",
        "-m",
        "backbone=test_resnet",
        "weights=random",
        "image_size=32",
        "data=folder",
        "data.path=photos",
        "data.split_seed=0",
        "epochs=3",
        "freeze=0",
        "report=false",
        f"seed={seeds}",
    ]


def finished_in(folder: Path) -> dict[str, int]:
    """How many epochs each run has logged, by run id."""
    from frostline.tracking.store import open_store

    store = open_store(None, "photos", folder=folder)
    runs = store.find_runs({"frostline.kind": "job"})
    return {run.run_id: len(store.metric_history(run.run_id, "train/loss")) for run in runs}


def run_until_killed(folder: Path, jobs: int, life_s: float | None, log: Path) -> int | None:
    """Start the sweep and kill it after a while; its exit code if it ended before.

    Args:
        folder: Where it runs.
        jobs: How many jobs it has.
        life_s: Seconds from the start of its first job to the kill; below 0 it is killed that much
            after its own start, while it loads and plans; None lets it live.
        log: Where its output is added.
    """
    started_before = log.read_text().count("  starts") if log.exists() else 0
    with log.open("a") as out:
        process = subprocess.Popen(
            sweep(jobs), cwd=folder, stdout=out, stderr=out, start_new_session=True
        )
    if life_s is not None and life_s >= 0:
        while process.poll() is None and log.read_text().count("  starts") <= started_before:
            time.sleep(0.05)
    try:
        return process.wait(None if life_s is None else abs(life_s))
    except subprocess.TimeoutExpired:
        children = psutil.Process(process.pid).children(recursive=True)
        # Now the sweep alone, then its jobs, or all at once: both must be survived.
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if random.random() < 0.5:
            for child in children:
                if child.is_running():
                    child.kill()
        psutil.wait_procs(children, timeout=90)
        return None


def soak(folder: Path, jobs: int, kills: int, seed: int, most_s: float) -> None:
    """Kill `kills` times at random moments, then let it end, then check.

    Raises:
        AssertionError: If a job is lost, stands twice, or went back.
    """
    random.seed(seed)
    log = folder / "soak.log"
    before: dict[str, int] = {}
    begun_s = time.monotonic()
    killed = 0
    while killed < kills:
        code = run_until_killed(folder, jobs, random.uniform(-most_s / 4, most_s), log)
        if code is not None:
            assert code == 0, log.read_text()[-3000:]
            break
        killed += 1
        if (folder / "mlflow.db").exists():
            now = finished_in(folder)
            assert all(now.get(run, 0) >= epochs for run, epochs in before.items()), "went back"
            before = now
            print(f"kill {killed}: {len(now)} runs, {sum(now.values())} epochs", flush=True)
    code = run_until_killed(folder, jobs, None, log)
    assert code == 0, log.read_text()[-3000:]
    check(folder, jobs)
    print(f"{jobs} jobs, {killed} kills, {time.monotonic() - begun_s:.0f} s: all finished once")


def check(folder: Path, jobs: int) -> None:
    from frostline.tracking.store import open_store

    store = open_store(None, "photos", folder=folder)
    runs = store.find_runs({"frostline.kind": "job"})
    assert Counter(run.status for run in runs) == {"FINISHED": jobs}
    digests = Counter(run.tags["frostline.job_digest"] for run in runs)
    assert set(digests.values()) == {1}
    for run in runs:
        for metric in ("train/loss", "val/loss", "val/f1_macro"):
            steps = [point.step for point in store.metric_history(run.run_id, metric)]
            assert steps == [0, 1, 2], (run.name, metric, steps)
        assert "test/f1_macro" in run.metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=64)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most-s", type=float, default=12, help="seconds that a sweep lives")
    given = parser.parse_args()
    from tests.integration.conftest import draw_classes, environment

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_classes(folder / "photos", per_class=16)
        os.environ |= environment(folder)
        soak(folder, given.jobs, given.kills, given.seed, given.most_s)


if __name__ == "__main__":
    main()

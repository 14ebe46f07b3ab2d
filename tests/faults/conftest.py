"""Commands that are hit by faults: started, watched until a known moment, signalled, killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from frostline.tracking.records import RunRecord
from frostline.tracking.store import Store, open_store
from tests.integration.conftest import ROOT, draw_classes, environment

INJECT = Path(__file__).parent / "inject"
NET = (
    "backbone=test_resnet",
    "weights=random",
    "image_size=32",
    "data=folder",
    "data.path=photos",
    "report=false",
)
TRAINING = (*NET, "epochs=3", "optimizer=adamw", "head.dropout=0.2", "freeze=0")
LONGEST_S = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands here as faults: `make test-faults` runs it, `make test` does not."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.faults)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "src.train", *arguments]


def fault_environment(folder: Path, faults: str = "") -> dict[str, str]:
    return environment(folder) | {
        "PYTHONPATH": f"{INJECT}{os.pathsep}{ROOT}",
        "FAULTS": faults,
        "FAULT_MARK": str(folder / "mark"),
    }


def call(folder: Path, *arguments: str, faults: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a folder and wait for its end."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=fault_environment(folder, faults),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )


def as_from_a_terminal() -> None:
    """Ignore no signal; a test run under `nohup` or in the background of a script does."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


class Started:
    """A command that runs: its output goes to a file, so that a killed one blocks nobody."""

    def __init__(self, folder: Path, *arguments: str, faults: str = "") -> None:
        self.folder = folder
        self.log = folder / f"log-{time.monotonic_ns()}.txt"
        (folder / "mark").unlink(missing_ok=True)
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                command(*arguments),
                cwd=folder,
                env=fault_environment(folder, faults),
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=as_from_a_terminal,
            )

    @property
    def text(self) -> str:
        return self.log.read_text()

    def paused_job(self) -> int:
        """Wait until a job stands still in its fault; its process id."""
        mark = self.folder / "mark"
        until(lambda: mark.exists() and mark.read_text() != "", self)
        return int(mark.read_text())

    def signal(self, number: int) -> int:
        """Signal the command's own process alone; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(LONGEST_S)

    def signal_group(self, number: int) -> int:
        """Signal all its processes, as a terminal's Ctrl-C does; its exit code."""
        os.killpg(self.process.pid, number)
        return self.process.wait(LONGEST_S)

    def end(self) -> None:
        """Leave no process behind."""
        for process in psutil.process_iter(["environ"]):
            own = (process.info["environ"] or {}).get("FAULT_MARK") == str(self.folder / "mark")
            if own and process.pid != os.getpid():
                process.kill()
        self.process.wait(30)


def until(is_so: Callable[[], bool], started: Started | None = None) -> None:
    end_s = time.monotonic() + LONGEST_S
    while not is_so():
        assert time.monotonic() < end_s, started.text if started else "waited too long"
        if started is not None:
            assert started.process.poll() is None, started.text
        time.sleep(0.05)


def make_place(folder: Path, empty_store_file: Path, *, per_class: int = 16) -> Path:
    """A folder with an empty store and tiny photos."""
    draw_classes(folder / "photos", per_class=per_class)
    shutil.copyfile(empty_store_file, folder / "mlflow.db")
    return folder


def ended_place(folder: Path, empty_store_file: Path, *arguments: str) -> Path:
    """A place whose command nobody interrupted."""
    place = make_place(folder, empty_store_file)
    ended = call(place, *arguments)
    assert ended.returncode == 0, ended.stderr
    return place


@pytest.fixture
def here(tmp_path: Path, empty_store_file: Path) -> Path:
    """A place of one test's own."""
    return make_place(tmp_path, empty_store_file)


@pytest.fixture
def started(here: Path) -> Iterator[list[Started]]:
    """Commands of a test, whose processes are ended with it."""
    commands: list[Started] = []
    yield commands
    for command in commands:
        command.end()


def store_of(folder: Path) -> Store:
    return open_store(None, "photos", folder=folder)


def jobs_of(folder: Path, **tags: str) -> list[RunRecord]:
    return store_of(folder).find_runs({"frostline.kind": "job", **tags})


def by_lr(runs: list[RunRecord]) -> dict[str, RunRecord]:
    return {run.params["lr"]: run for run in runs}


def curve(folder: Path, run: RunRecord, metric: str) -> list[tuple[int, float]]:
    return [(p.step, p.value) for p in store_of(folder).metric_history(run.run_id, metric)]


def assert_same_training(one: tuple[Path, RunRecord], other: tuple[Path, RunRecord]) -> None:
    """Two runs whose every loss and every weight agree to the last bit."""
    import torch

    from frostline.training.checkpoint import load_checkpoint

    for metric in ("train/loss", "val/loss", "val/f1_macro", "test/loss"):
        assert curve(*one, metric) == curve(*other, metric)
    states = [
        load_checkpoint(store_of(folder).fetch_artifact(run.run_id, "checkpoints/best.ckpt"))
        for folder, run in (one, other)
    ]
    first, second = (state["state_dict"] for state in states)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}

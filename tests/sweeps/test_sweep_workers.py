"""Processes of their own: answers, failures, deaths, shares of the machine, memory that ran out."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from frostline.errors import ConfigError
from frostline.locks import OwnerLock
from frostline.running_time import running_s
from frostline.sweeps import distributed_run, fork_server, resources, workers
from frostline.sweeps.failures import hint_for, is_out_of_memory, shrunk, within_memory
from frostline.sweeps.resources import Share, own_gpus, share_of, slot
from frostline.sweeps.signals import StopSignalError, raise_on_signals
from frostline.sweeps.worker_answer import Failure, JobFailedError
from tests.sweeps.test_sweep_plan import settings


@pytest.fixture(autouse=True)
def _no_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """These jobs need no libraries."""
    monkeypatch.setattr(fork_server, "PRELOADED", "math")


def double(value: int) -> int:
    return 2 * value


def fail() -> None:
    raise ConfigError("lr=x: not a number", "a number above 0", "lr=0.001")


def leave() -> None:
    sys.exit(4)


def vanish() -> None:
    os._exit(3)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


# Continues a process some seconds after it has been stopped.
GO_ON = """
import os, pathlib, signal, sys, time
pid, seconds = sys.argv[1:]
while pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
    time.sleep(0.05)
time.sleep(float(seconds))
os.kill(int(pid), signal.SIGCONT)
"""


def be_stopped(seconds: float) -> tuple[float, float]:
    """Stop this process; seconds that passed, and those that count, once the stop is known."""
    begun_s, running_from_s = time.monotonic(), running_s()
    child = subprocess.Popen([sys.executable, "-c", GO_ON, str(os.getpid()), str(seconds)])
    os.kill(os.getpid(), signal.SIGSTOP)
    child.wait()
    latest_s = time.monotonic() + 60
    while True:
        passed_s, counted_s = time.monotonic() - begun_s, running_s() - running_from_s
        if passed_s - counted_s > seconds / 2 or time.monotonic() > latest_s:
            return passed_s, counted_s
        time.sleep(0.1)


def chat(*, on_progress: object) -> str:
    on_progress(text="half way")  # type: ignore[operator]
    return os.environ["COLOUR"]


def test_seconds_in_which_a_process_is_stopped_are_no_cost_of_its_job() -> None:
    passed_s, counted_s = workers.call(be_stopped, 2.0)
    assert passed_s >= 2
    assert counted_s <= passed_s - 1.9


def test_an_answer_and_what_was_said_on_the_way() -> None:
    said: list[dict[str, object]] = []
    assert workers.call(double, 21) == 42
    assert workers.call(chat, on_event=said.append, env={"COLOUR": "blue"}) == "blue"
    assert said == [{"text": "half way"}]
    assert "COLOUR" not in os.environ


def test_every_way_to_fail_is_told() -> None:
    failed = workers.call(fail)
    assert isinstance(failed.error, ConfigError)
    assert failed.error.todo == "lr=0.001"
    assert workers.call(leave).reason == "SystemExit: 4"
    assert workers.call(vanish).reason == "the process ended with exit code 3 and without a result"
    killed = workers.call(die)
    assert killed.was_killed
    assert killed.reason.startswith("the process was killed by SIGKILL")
    assert not failed.was_killed


def test_a_process_that_dies_before_it_reads_its_call_is_a_death_too() -> None:
    # Its end of the pipe is then closed with bytes unread, which resets the connection.
    with workers.Worker() as worker:
        pid = worker.call(os.getpid)
        os.kill(pid, signal.SIGSTOP)
        timer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
        timer.start()
        killed = worker.call(double, 21)
    assert killed.reason.startswith("the process was killed by SIGKILL")


def test_a_failure_travels_between_processes() -> None:
    error = JobFailedError(Failure("why", "trace", ConfigError("a", "b"), -9))
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == "why"
    assert again.failure.was_killed


RAY = {"_target_": "x.RayLauncher", "ray": {"remote": {"num_cpus": 3}}}
JOBLIB = {"_target_": "x.JoblibLauncher", "n_jobs": -1}


@pytest.mark.parametrize(
    ("launcher", "jobs", "cores", "gpus", "share"),
    [
        (JOBLIB, 64, 8, 0, Share(1, 8)),
        (JOBLIB, 2, 8, 0, Share(4, 2)),
        (JOBLIB, 64, 16, 4, Share(4, 4)),
        (JOBLIB | {"n_jobs": 2}, 64, 16, 4, Share(8, 2)),
        ({"_target_": "x.LocalLauncher", "cpus_per_task": 2}, 64, 8, 0, Share(2, 4)),
        (
            {"_target_": "x.SlurmLauncher", "cpus_per_task": 6},
            64,
            2,
            0,
            Share(6, None, elsewhere=True),
        ),
        (
            {"_target_": "x.RayLauncher", "ray": {"remote": {"num_cpus": 3}}},
            9,
            8,
            0,
            Share(3, None, elsewhere=True),
        ),
        ({"_target_": "x.IsolatedLauncher"}, 64, 8, 0, Share(None, None)),
        ({"_target_": "own.Queue", "jobs_at_once": 4}, 64, 8, 0, Share(2, None, elsewhere=True)),
    ],
)
def test_cores_and_gpus_are_divided(
    launcher: dict[str, object], jobs: int, cores: int, gpus: int, share: Share
) -> None:
    assert share_of(launcher, jobs=jobs, cores=cores, gpus=gpus) == share


@pytest.mark.parametrize(
    ("script", "cards"),
    [
        ('echo "GPU 0: Fake Card (UUID: a)"; echo "GPU 1: Fake Card (UUID: b)"', ["0", "1"]),
        ('echo "NVIDIA-SMI has failed because it could not talk to the driver"; exit 9', []),
        ('echo "No devices were found"', []),
    ],
    ids=["two", "no driver", "no card"],
)
def test_without_proc_cards_are_counted_by_nvidias_tool(
    script: str, cards: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under WSL2; the tool is faked."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setattr(resources, "_GPUS_OF_THE_SYSTEM", tmp_path / "none")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert own_gpus() == cards


def test_other_processes_of_a_run_have_the_environment_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setenv("SET_FOR_JOBS", "yes")
    job = settings("trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu")
    env = distributed_run._environment_of_rank(1, job, 4711)
    assert (env["CUDA_VISIBLE_DEVICES"], env["SET_FOR_JOBS"]) == ("3,5", "yes")
    assert (env["LOCAL_RANK"], env["WORLD_SIZE"], env["MASTER_PORT"]) == ("1", "2", "4711")


def test_each_slot_is_held_once_and_has_its_own_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert own_gpus() == ["2", "5"]
    with slot(tmp_path, 2) as first:
        assert first == {"CUDA_VISIBLE_DEVICES": "2"}
        assert not OwnerLock(tmp_path / "slots" / "0.lock").try_acquire()
        with slot(tmp_path, 2) as second:
            assert second == {"CUDA_VISIBLE_DEVICES": "5"}
    with slot(tmp_path, 2) as again:
        assert again == {"CUDA_VISIBLE_DEVICES": "2"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with slot(tmp_path, 1) as without:
        assert without == {}


def test_half_the_batch_and_twice_the_accumulation() -> None:
    job = settings("batch_size=33", "on_oom=shrink")
    half = shrunk(job)
    assert half is not None
    assert (half.batch_size, half.trainer.accumulate_grad_batches) == (17, 2)
    quarter = shrunk(half)
    assert quarter is not None
    assert (quarter.batch_size, quarter.trainer.accumulate_grad_batches) == (9, 4)
    assert shrunk(settings("batch_size=2")) is None


def test_memory_that_runs_out_gets_one_more_try_if_asked_for() -> None:
    tried: list[int] = []
    notes: list[str] = []

    def attempt(job: object) -> str:
        tried.append(job.batch_size)  # type: ignore[attr-defined]
        if tried[-1] > 16:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return "trained"

    asked = settings("batch_size=32", "on_oom=shrink")
    assert within_memory(asked, attempt, note=notes.append) == "trained"
    assert tried == [32, 16]
    assert len(notes) == 1
    for job in (settings("batch_size=32"), settings("batch_size=64", "on_oom=shrink")):
        with pytest.raises(RuntimeError, match="out of memory"):
            within_memory(job, attempt, note=notes.append)
    assert tried == [32, 16, 32, 64, 32]


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (RuntimeError("CUDA out of memory"), "on_oom=shrink"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "on_oom=shrink"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "on_oom=shrink"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "on_oom=shrink"),
        (MemoryError(), "on_oom=shrink"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), "workers=0"),
        (RuntimeError("unable to write to file </torch_7_1>: No space left"), "/dev/shm"),
        (OSError(28, "No space left on device"), "disk"),
        (OSError(27, "File too large"), "disk"),
    ],
)
def test_known_causes_have_a_hint(error: BaseException, word: str) -> None:
    assert word in (hint_for(error) or "")


def test_other_errors_have_none() -> None:
    assert hint_for(ValueError("memory is a fine thing")) is None
    assert not is_out_of_memory(ValueError("out of memory"))


def stop_twice() -> list[object]:
    """What Lightning does: it puts back the handlers it found when training began."""
    raise_on_signals()
    found = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    said: list[object] = []
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except StopSignalError as stopped:
        said.append(stopped.exit_code)
        for number, handler in found.items():
            signal.signal(number, handler)
        os.kill(os.getpid(), signal.SIGTERM)
        said.append("ended in good order")
    return said


def test_a_second_signal_does_not_cut_the_ending_short() -> None:
    assert workers.call(stop_twice) == [130, "ended in good order"]


def stopped_by(number: int) -> int:
    raise_on_signals()
    try:
        os.kill(os.getpid(), number)
    except StopSignalError as stopped:
        return stopped.exit_code
    return 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGXCPU"])
def test_the_warnings_of_batch_systems_stop_a_job_in_good_order(name: str) -> None:
    number = signal.Signals[name]
    assert workers.call(stopped_by, number) == 128 + number


_STOPPED_AT_ITS_START = """
import multiprocessing, os, signal
from frostline.sweeps import workers

def stopped(at_once):
    os.kill(os.getpid(), signal.SIGTERM)

workers.exit_with_parent = stopped
ours, theirs = multiprocessing.Pipe()
child = multiprocessing.get_context("fork").Process(target=workers._serve, args=(theirs,))
child.start()
child.join(30)
print(child.exitcode)
"""


def test_a_process_that_is_stopped_while_it_begins_ends_without_a_trace() -> None:
    code = _STOPPED_AT_ITS_START.replace("stopped(at_once)", "stopped(*, at_once)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("143", "")


_SERVER_DIES_IN_BETWEEN = """
import os, signal, threading, time
from multiprocessing import forkserver
from frostline.sweeps import distributed_run, fork_server, resources, workers

if __name__ == "__main__":
    fork_server.PRELOADED = "math"
    fork_server.warm_up()
    server = forkserver._forkserver._forkserver_pid
    os.kill(server, signal.SIGSTOP)  # it takes the question, and gives no answer
    threading.Timer(1.0, os.kill, (server, signal.SIGKILL)).start()
    print(workers.call(max, 3, 4), forkserver._forkserver._forkserver_pid != server)
"""


def test_a_fork_server_that_dies_between_question_and_answer_is_replaced(tmp_path: Path) -> None:
    script = tmp_path / "question.py"
    script.write_text(_SERVER_DIES_IN_BETWEEN)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert (done.stdout.split(), done.stderr) == (["4", "True"], "")

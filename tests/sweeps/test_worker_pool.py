"""Which process carries out which job."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from frostline.config.schema import Settings
from frostline.errors import ConfigError
from frostline.sweeps import fork_server, launcher, workers
from frostline.sweeps.job import Job
from frostline.sweeps.outcome import Outcome
from frostline.sweeps.progress import SweepProgress
from frostline.sweeps.worker_pool import WorkerPool, check_limit
from tests.sweeps.test_sweep_plan import settings

ONE = settings("seed=0")


@pytest.fixture(autouse=True)
def _no_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """These jobs need no libraries."""
    monkeypatch.setattr(fork_server, "PRELOADED", "math")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[workers.Worker]:
    """The processes that a launcher has made for single jobs."""
    noted: list[workers.Worker] = []

    class Noted(workers.Worker):
        def __init__(self, env: dict[str, str] | None = None) -> None:
            super().__init__(env)
            noted.append(self)

    monkeypatch.setattr("frostline.sweeps.worker_pool.Worker", Noted)
    return noted


def number(job: Any, **_: Any) -> Outcome:
    """Stands in for a job: returns the process that it ran in, or fails as its seed says."""
    match job.settings.seed:
        case 7:
            raise ConfigError("seed=7 fails")
        case 8:
            os.kill(os.getpid(), signal.SIGKILL)
        case 9:
            sys.exit(3)
    return Outcome("", str(os.getpid()), "done")


def colour() -> str | None:
    return os.environ.get("COLOUR")


def processes(
    monkeypatch: pytest.MonkeyPatch, *jobs: Any, jobs_per_process: int | None = None
) -> list[Any]:
    """The process of each job, 0 for the first, 1 for the next one; None for a job that failed."""
    monkeypatch.setattr(launcher, "execute", number)
    prepared = [as_job(one) for one in jobs]
    with SweepProgress(total=len(jobs)) as progress:
        outcomes = launcher.run_all(prepared, progress, jobs_per_process=jobs_per_process)
    seen: dict[str, int] = {}
    return [
        None if outcome.state == "failed" else seen.setdefault(outcome.name, len(seen))
        for outcome in outcomes
    ]


def as_job(one: Settings, group: str | None = None) -> Job:
    sweep = one.sweep.model_copy(update={"job_digest": "digest", "group": group})
    return Job(one.model_copy(update={"sweep": sweep}), Path(), {})


def seeds(*values: int, **other: Any) -> list[Any]:
    return [ONE.model_copy(update={"seed": value, **other}) for value in values]


def test_jobs_that_are_alike_share_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [ONE.model_copy(update={"freeze": 2}), ONE.model_copy(update={"lr": 0.5})]
    assert processes(monkeypatch, *seeds(0, 1), *others) == [0, 0, 0, 0]


@pytest.mark.parametrize("change", ["backbone", "image_size", "batch_size", "trainer"])
def test_another_shape_has_a_process_of_its_own(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = {
        "backbone": "vgg16",
        "image_size": 33,
        "batch_size": 5,
        "trainer": ONE.trainer.model_copy(update={"threads": 1}),
    }[change]
    other = ONE.model_copy(update={change: value})
    assert processes(monkeypatch, ONE, other, other, ONE) == [0, 1, 1, 2]


@pytest.mark.parametrize("seed", [7, 8, 9], ids=["error", "killed", "exit"])
def test_after_a_failure_comes_a_fresh_process(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = seeds(0, 1, seed, 2, 3, fail_fast=None)
    assert processes(monkeypatch, *jobs) == [0, 0, None, 1, 1]


def test_a_limit_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes(monkeypatch, *seeds(0, 1, 2), jobs_per_process=1) == [0, 1, 2]
    assert processes(monkeypatch, *seeds(0, 1, 2), jobs_per_process=2) == [0, 0, 1]


def test_a_run_on_several_processes_has_fresh_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = ONE.trainer.model_copy(update={"strategy": "ddp", "devices": 2})
    assert processes(monkeypatch, *seeds(0, 1, trainer=trainer)) == [0, 1]


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "many"])
def test_what_is_no_limit_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="jobs_per_process") as raised:
        check_limit(value)
    assert str(value) in str(raised.value)
    for allowed in (None, 1, 64):
        check_limit(allowed)


def test_the_environment_of_a_job_is_not_that_of_the_next() -> None:
    with WorkerPool() as pool:
        blue = pool.worker_for(ONE, {"COLOUR": "blue"})
        assert blue.call(colour) == "blue"
        assert pool.worker_for(ONE, {"COLOUR": "blue"}) is blue
        assert pool.worker_for(ONE, {}).call(colour) is None
        assert not blue.is_alive


def test_our_own_variables_are_as_they_are_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    with workers.Worker() as worker:
        for value in ("a", "b"):
            monkeypatch.setenv("FROSTLINE_TRIED", value)
            assert worker.call(os.getenv, "FROSTLINE_TRIED") == value


def test_no_process_is_left_over(
    made: list[workers.Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert processes(monkeypatch, *seeds(0, 7, 1, fail_fast=None)) == [0, None, 1]
    assert [worker.is_alive for worker in made] == [False, False]


def test_a_group_finds_no_idle_process(
    made: list[workers.Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[bool] = []
    monkeypatch.setattr(launcher, "execute", number)

    def together(jobs: Any, _: Any) -> list[Outcome]:
        alive.extend(worker.is_alive for worker in made)
        return [Outcome("", "", "done")]

    monkeypatch.setattr(launcher, "_run_group", together)
    jobs = [as_job(ONE), as_job(ONE, group="g")]
    with SweepProgress(total=2) as progress:
        launcher.run_all(jobs, progress)
    assert len(made) == 1
    assert alive == [False]


def test_a_process_that_died_between_two_jobs_is_replaced() -> None:
    with WorkerPool() as pool:
        first = pool.worker_for(ONE, {})
        killed = first.call(os.getpid)
        os.kill(killed, signal.SIGKILL)
        first._process.join()
        assert pool.worker_for(ONE, {}).call(os.getpid) != killed

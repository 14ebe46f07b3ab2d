"""Which process carries out which job."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from frostline.config.schema import Settings
from frostline.errors import ConfigError
from frostline.sweeps import fork_server, launcher, workers
from frostline.sweeps.job import Job
from frostline.sweeps.outcome import Outcome
from frostline.sweeps.progress import SweepProgress
from frostline.sweeps.worker_pool import WorkerPool, check_limit, process_order
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
        outcomes = launcher.run_all(prepared, progress, WorkerPool(jobs_per_process))
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
    assert processes(monkeypatch, ONE, other, other) == [0, 1, 1]


def test_jobs_that_can_share_a_process_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"backbone": "vgg16"}
    jobs = [*seeds(0), *seeds(0, **other), *seeds(1), *seeds(1, **other), *seeds(2)]
    assert processes(monkeypatch, *jobs) == [0, 1, 0, 1, 0]
    own = [one.model_copy(update={"weights": name}) for name in "abab" for one in seeds(0)]
    assert process_order([*own, *jobs]) == [0, 2, 1, 3, 4, 6, 8, 5, 7]


@pytest.mark.parametrize("limit", ["deadline_s", "until_epoch"])
def test_in_a_race_and_under_a_budget_the_order_stays(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = []
    for one in (ONE, ONE.model_copy(update={"backbone": "vgg16"}), ONE):
        sweep = one.sweep.model_copy(update={limit: 1e12 if limit == "deadline_s" else 2})
        jobs.append(one.model_copy(update={"sweep": sweep}))
    assert processes(monkeypatch, *jobs) == [0, 1, 2]


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


def heads(jobs: Any, **_: Any) -> list[Outcome | None]:
    """Stands in for a group of heads, as `number` does for a job; `seed=6` is to run alone."""
    process = str(os.getpid())
    states = {7: "failed", 6: None}
    outcomes: list[Outcome | None] = []
    for job in jobs:
        state = states.get(job.settings.seed, "done")
        outcomes.append(None if state is None else Outcome("", process, state))
    return outcomes


def test_a_group_is_trained_in_the_process_of_the_jobs_around_it(
    made: list[workers.Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "execute", number)
    monkeypatch.setattr(launcher, "execute_group", heads)
    jobs = [
        as_job(one, group) for one, group in zip(seeds(0, 1, 2), (None, "g", None), strict=True)
    ]
    with SweepProgress(total=3) as progress:
        outcomes = launcher.run_all(jobs, progress, WorkerPool())
    assert len(made) == 1
    assert len({outcome.name for outcome in outcomes}) == 1


@pytest.mark.parametrize("seed", [6, 7], ids=["refused", "failed"])
def test_after_a_group_with_an_error_comes_a_fresh_process(
    seed: int, made: list[workers.Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "execute", number)
    monkeypatch.setattr(launcher, "execute_group", heads)
    swept = seeds(0, seed, 2, fail_fast=None)
    jobs = [as_job(one, group) for one, group in zip(swept, ("g", "g", None), strict=True)]
    with SweepProgress(total=3) as progress:
        outcomes = launcher.run_all(jobs, progress, WorkerPool())
    assert len(made) == 2
    assert outcomes[0].name != outcomes[2].name


def mark(folder: Path) -> None:
    """Stands in for what a process begins with."""
    (folder / "begun").write_text(str(os.getpid()))


def end(_: Path) -> None:
    os._exit(1)


def test_a_process_that_has_begun_is_the_one_of_the_first_job(
    tmp_path: Path, made: list[workers.Worker]
) -> None:
    with WorkerPool() as pool:
        pool.begin(ONE, {}, mark, tmp_path)
        worker = pool.worker_for(ONE, {})
        assert worker.call(os.getpid) == int((tmp_path / "begun").read_text())
        assert pool.worker_for(ONE, {}) is worker
    assert [each.is_alive for each in made] == [False]


def test_a_job_of_another_shape_does_not_wait_for_what_was_begun(
    made: list[workers.Worker],
) -> None:
    with WorkerPool() as pool:
        pool.begin(ONE, {}, time.sleep, 3600)
        other = pool.worker_for(ONE.model_copy(update={"batch_size": 5}), {})
        assert other.call(os.getpid)
    assert [each.is_alive for each in made] == [False, False]


def test_a_process_that_dies_at_its_beginning_is_replaced(
    tmp_path: Path, made: list[workers.Worker]
) -> None:
    with WorkerPool() as pool:
        pool.begin(ONE, {}, end, tmp_path)
        assert pool.worker_for(ONE, {}).call(os.getpid)
    assert len(made) == 2


def test_a_process_that_died_between_two_jobs_is_replaced() -> None:
    with WorkerPool() as pool:
        first = pool.worker_for(ONE, {})
        killed = first.call(os.getpid)
        os.kill(killed, signal.SIGKILL)
        first._process.join()
        assert pool.worker_for(ONE, {}).call(os.getpid) != killed

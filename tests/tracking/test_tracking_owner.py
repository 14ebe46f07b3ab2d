import json
import os
import signal
import sqlite3
import time

import pytest

from frostline.errors import TrackingError
from frostline.locks import read_owner
from frostline.tracking import ownership
from frostline.tracking.abandoned import abandoned_runs, end_abandoned_runs
from frostline.tracking.machinery import MACHINERY_TAG
from frostline.tracking.ownership import claim_lock_path
from frostline.tracking.store import open_store

from .conftest import FORK


def _train(uri, folder, started, digest):
    store = open_store(uri, "leaves", folder=folder)
    claim = store.claim(digest, wait_s=0)
    assert claim is not None
    run = store.start_run("job", {"frostline.job_digest": digest})
    claim.note(run.run_id)
    run.log_metrics({"loss": 3.0}, 0)
    run.log_metrics({"loss": 2.0}, 1)
    started.send(run.run_id)
    time.sleep(120)


@pytest.fixture
def trainer(fresh_store_uri, tmp_path):
    """A process that owns a run, and has logged two epochs."""
    mine, theirs = FORK.Pipe()
    process = FORK.Process(
        target=_train, args=(fresh_store_uri, tmp_path, theirs, "digest1"), daemon=True
    )
    process.start()
    assert mine.poll(60)
    yield process, mine.recv()
    process.kill()
    process.join()


@pytest.fixture
def store(fresh_store_uri, tmp_path):
    return open_store(fresh_store_uri, "leaves", folder=tmp_path)


def _set(store, run_id, **owner):
    """Change what the store says of a run's owner; None takes a value away."""
    tags = store.client.get_run(run_id).data.tags
    kept = json.loads(tags[MACHINERY_TAG]) | {f"frostline.{key}": owner[key] for key in owner}
    text = json.dumps({key: value for key, value in kept.items() if value is not None})
    store.client.set_tag(run_id, MACHINERY_TAG, text)


def _kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def test_a_living_owner_is_left_alone(trainer, store):
    process, run_id = trainer
    assert abandoned_runs(store, {}) == []
    assert end_abandoned_runs(store, {}) == []
    with pytest.raises(
        TrackingError, match=rf"still running: it belongs to process {process.pid} "
    ):
        store.resume_run(run_id)
    owner = read_owner(claim_lock_path(store.address.locks_dir, "digest1"))
    assert (owner.pid, owner.run_id) == (process.pid, run_id)


def test_after_sigkill_the_same_run_is_resumed(trainer, store, tmp_path):
    process, run_id = trainer
    _kill(process)
    assert store.get_run(run_id).status == "RUNNING"
    assert [record.run_id for record in abandoned_runs(store, {})] == [run_id]
    run = store.resume_run(run_id)
    assert abandoned_runs(store, {}) == []
    run.log_metrics({"loss": 2.0}, 1)
    run.log_metrics({"loss": 1.0}, 2)
    run.finish("FINISHED")
    record = store.get_run(run_id)
    assert (record.status, record.tags["frostline.pid"]) == ("FINISHED", str(os.getpid()))
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        rows = connection.execute("SELECT step, value FROM metrics ORDER BY step").fetchall()
    assert rows == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert not list((tmp_path / ".frostline" / "locks").glob("run-*"))


def test_an_abandoned_run_is_marked_as_killed_with_the_reason(trainer, store):
    process, run_id = trainer
    _kill(process)
    assert [
        record.run_id for record in end_abandoned_runs(store, {"frostline.job_digest": "digest1"})
    ] == [run_id]
    record = store.get_run(run_id)
    assert record.status == "KILLED"
    assert record.tags["frostline.failure"] == f"its process {process.pid} died without ending it"
    assert end_abandoned_runs(store, {}) == []


def test_a_run_from_another_folder_is_checked_by_its_process(trainer, store, tmp_path):
    process, run_id = trainer
    locks = tmp_path / ".frostline" / "locks"
    for path in locks.glob("run-*"):
        path.unlink()
    assert abandoned_runs(store, {}) == []
    _kill(process)
    assert [record.run_id for record in abandoned_runs(store, {})] == [run_id]


def test_a_reused_process_number_is_not_the_owner(trainer, store, tmp_path):
    process, run_id = trainer
    _kill(process)
    for path in (tmp_path / ".frostline" / "locks").glob("run-*"):
        path.unlink()
    _set(store, run_id, pid=str(os.getpid()))  # now the number of a living process
    assert [record.run_id for record in abandoned_runs(store, {})] == [run_id]


def test_a_run_of_another_machine_never_counts_as_abandoned(trainer, store, tmp_path):
    process, run_id = trainer
    _kill(process)
    for path in (tmp_path / ".frostline" / "locks").glob("run-*"):
        path.unlink()
    _set(store, run_id, host="elsewhere")
    assert abandoned_runs(store, {}) == []


@pytest.mark.parametrize("tag", ["pid_namespace", "boot"])
def test_a_live_run_of_another_container_is_not_taken_over(trainer, store, tmp_path, tag):
    _, run_id = trainer
    for path in (tmp_path / ".frostline" / "locks").glob("run-*"):
        path.unlink()
    # Its own count of processes, in which its id is one that nobody has here.
    other = {"pid_namespace": "pid:[4026539999]", "pid": "999999999", tag: "another"}
    _set(store, run_id, **other)
    assert abandoned_runs(store, {}) == []


def test_a_run_of_an_older_version_is_left_alone_without_its_lock(trainer, store, tmp_path):
    process, run_id = trainer
    for path in (tmp_path / ".frostline" / "locks").glob("run-*"):
        path.unlink()
    _set(store, run_id, boot=None, pid_namespace=None, pid_ticks=None)
    _kill(process)
    assert abandoned_runs(store, {}) == []


def test_a_step_of_the_clock_ends_no_run(trainer, store, tmp_path, monkeypatch):
    """The wall clock is in nothing that decides; psutil reckons the start of a process from it."""
    process, run_id = trainer
    for path in (tmp_path / ".frostline" / "locks").glob("run-*"):
        path.unlink()
    clock_s = time.time
    monkeypatch.setattr(time, "time", lambda: clock_s() + 3600)
    monkeypatch.setattr("psutil.Process.create_time", lambda _: clock_s() - 3600)
    assert abandoned_runs(store, {}) == []
    _kill(process)
    assert [record.run_id for record in abandoned_runs(store, {})] == [run_id]


def test_what_ran_before_the_machine_started_again_is_dead(monkeypatch):
    machine = "pid:[4026531836]"
    tags = {**ownership.owner_tags(), "frostline.boot": "the boot before"}
    monkeypatch.setattr(ownership, "pid_namespace", lambda: machine)
    assert ownership.is_surely_dead({**tags, "frostline.pid_namespace": machine})
    assert not ownership.is_surely_dead({**tags, "frostline.pid_namespace": "pid:[4026539999]"})


def test_one_owner_of_a_digest_and_the_other_waits(trainer, store):
    process, _ = trainer
    assert store.claim("digest1", wait_s=0) is None
    assert store.claim("digest2", wait_s=0) is not None
    waited_for = []

    def on_wait(owner):
        waited_for.append(owner.pid)
        _kill(process)

    claim = store.claim("digest1", wait_s=30, on_wait=on_wait)
    assert claim is not None and claim.held
    assert waited_for == [process.pid]
    claim.release()
    assert not claim_lock_path(store.address.locks_dir, "digest1").exists()


def _claim_and_train(uri, folder, digest):
    store = open_store(uri, "leaves", folder=folder)
    with store.claim(digest) as claim:
        if store.find_runs({"frostline.job_digest": digest}, status=["FINISHED"]):
            raise SystemExit(9)
        run = store.start_run("job", {"frostline.job_digest": digest})
        claim.note(run.run_id)
        time.sleep(0.3)
        run.finish("FINISHED")


def test_the_same_job_in_two_sweeps_at_once_is_trained_once(fresh_store_uri, tmp_path):
    arguments = (fresh_store_uri, tmp_path, "same")
    workers = [FORK.Process(target=_claim_and_train, args=arguments) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(worker.exitcode for worker in workers) == [0, 9, 9]


def test_sigkill_while_the_store_was_down_loses_nothing(fresh_store_uri, tmp_path):
    def train():
        offline = open_store(fresh_store_uri, "leaves", folder=tmp_path, offline=True)
        run = offline.start_run("job", {})
        run.log_metrics({"loss": 3.0}, 0)
        os.kill(os.getpid(), signal.SIGKILL)

    process = FORK.Process(target=train)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    (record,) = abandoned_runs(store, {})
    assert (record.status, dict(record.metrics)) == ("RUNNING", {"loss": 3.0})
    run = store.resume_run(record.run_id)
    run.log_metrics({"loss": 3.0}, 0)
    run.log_metrics({"loss": 2.0}, 1)
    run.finish("FINISHED")
    assert [p.value for p in store.metric_history(record.run_id, "loss")] == [3.0, 2.0]

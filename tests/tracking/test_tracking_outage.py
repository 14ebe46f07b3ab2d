import logging
import socket
import sqlite3
import time

import pytest

from frostline.errors import TrackingError
from frostline.tracking import store_client, undelivered
from frostline.tracking import tracked_run as run_module
from frostline.tracking.store import open_store


def _rows(server, query):
    with sqlite3.connect(server.database) as connection:
        return connection.execute(query).fetchall()


def waiting_files(folder):
    return [path for path in (folder / ".frostline" / "journal").rglob("*") if path.is_file()]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    """Try again at once, so that a test need not wait for the next try."""
    monkeypatch.setattr(store_client, "_FIRST_PAUSE_S", 1e-6)
    monkeypatch.setattr(store_client, "_MAX_PAUSE_S", 1e-6)
    monkeypatch.setattr(undelivered, "_PAUSE_S", 0.0)


def test_server_down_at_start(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(TrackingError, match=r"does not answer(.|\n)*tracking\.offline=true"):
        open_store(uri, "leaves", folder=tmp_path)


def test_server_that_accepts_and_never_answers(tmp_path, monkeypatch):
    monkeypatch.setattr("frostline.tracking.store_reachable._SERVER_ANSWER_S", 0.5)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        uri = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(TrackingError, match="does not answer: timed out"):
            open_store(uri, "leaves", folder=tmp_path)


def test_database_server_down_at_start(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        uri = f"postgresql://me:secret@127.0.0.1:{probe.getsockname()[1]}/runs"
    with pytest.raises(TrackingError, match=r"database server of postgresql://me:\*\*\*@127"):
        open_store(uri, "leaves", folder=tmp_path)


def test_server_killed_in_mid_run_and_back_before_the_end(server, tmp_path, caplog):
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    run.log_metrics({"loss": 0.0, "acc": 0.0}, 0)
    server.kill()
    weights = tmp_path / "best.ckpt"
    with caplog.at_level(logging.WARNING):
        for epoch in range(1, 4):
            run.log_metrics({"loss": float(epoch), "acc": epoch / 10}, epoch)
        run.log_params({"lr": 0.1})
        weights.write_bytes(b"epoch 3")
        run.log_artifact(weights, "checkpoints")
        weights.write_bytes(b"a later epoch")
    assert run.undelivered == 5
    measured_before_ms = time.time() * 1000
    assert sum("cannot be reached" in record.message for record in caplog.records) == 1
    server.start()
    run.log_metrics({"loss": 4.0, "acc": 0.4}, 4)
    assert run.undelivered == 0
    assert run.finish("FINISHED")
    assert run.problems == []
    assert _rows(server, "SELECT step, value FROM metrics WHERE key='loss' ORDER BY step") == [
        (epoch, float(epoch)) for epoch in range(5)
    ]
    assert _rows(server, "SELECT count(*) FROM metrics") == [(10,)]
    times_ms = [point.time_ms for point in store.metric_history(run.run_id, "loss")][:4]
    assert max(times_ms) <= measured_before_ms  # when it was measured, not when it was sent
    record = store.get_run(run.run_id)
    assert (record.status, dict(record.params)) == ("FINISHED", {"lr": "0.1"})
    file = store.fetch_artifact(run.run_id, "checkpoints/best.ckpt", tmp_path / "down")
    assert file.read_bytes() == b"epoch 3"
    assert waiting_files(tmp_path) == []


def test_server_down_to_the_end_and_delivered_by_the_next_command(server, tmp_path):
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {"frostline.sweep_id": "s"})
    run.log_metrics({"loss": 0.0}, 0)
    server.kill()
    run.log_metrics({"loss": 1.0}, 1)
    assert not run.finish("FINISHED")
    later = store.start_run("begun while down", {"frostline.sweep_id": "s"})
    later.log_metrics({"loss": 5.0}, 0)
    later.log_text("lr: 1", "config.yaml")
    assert later.run_id.startswith("offline-")
    assert not later.finish("FAILED", "boom")

    server.start()
    again = open_store(server.uri, "leaves", folder=tmp_path)
    found = {record.name: record for record in again.find_runs({"frostline.sweep_id": "s"})}
    assert {name: record.status for name, record in found.items()} == {
        "a": "FINISHED",
        "begun while down": "FAILED",
    }
    assert found["begun while down"].tags["frostline.failure"] == "boom"
    assert found["begun while down"].start_ms <= found["begun while down"].end_ms
    assert again.get_run(later.run_id).run_id == found["begun while down"].run_id
    open_store(server.uri, "leaves", folder=tmp_path)  # nothing is sent a second time
    assert _rows(server, "SELECT step, value FROM metrics ORDER BY step, value") == [
        (0, 0.0),
        (0, 5.0),
        (1, 1.0),
    ]
    assert _rows(server, "SELECT count(*) FROM runs") == [(2,)]


def test_a_journal_delivered_twice_leaves_the_same_rows(server, tmp_path):
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    server.kill()
    run.log_metrics({"loss": 1.0, "acc": 0.5}, 0)
    run.log_params({"lr": 0.1})
    run.finish("FINISHED")
    journal = store.address.journals_dir / f"{run.run_id}.jsonl"
    content = journal.read_bytes()
    server.start()
    assert store.deliver_pending() == 0
    assert not journal.exists()
    # As if the process had died after sending and before forgetting; with a line cut off.
    journal.write_bytes(content + b'{"op": "metrics", "t": 1, "st')
    assert store.deliver_pending() == 0
    assert _rows(server, "SELECT count(*) FROM metrics") == [(2,)]
    assert not journal.exists()


def test_resumed_while_down_then_no_step_twice(server, tmp_path):
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    run.log_metrics({"loss": 0.0}, 0)
    run.log_metrics({"loss": 1.0}, 1)
    run.finish("KILLED")
    server.kill()
    late = open_store(server.uri, "leaves", folder=tmp_path, must_answer=False)
    again = late.resume_run(run.run_id)
    again.log_metrics({"loss": 1.0}, 1)
    server.start()
    again.log_metrics({"loss": 1.0}, 1)
    again.log_metrics({"loss": 2.0}, 2)
    assert late.get_run(run.run_id).status == "RUNNING"
    assert again.finish("FINISHED")
    rows = _rows(server, "SELECT step, value FROM metrics ORDER BY step")
    assert rows == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_offline_stores_all_locally_and_a_later_command_delivers_it(fresh_store_uri, tmp_path):
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path, offline=True)
    parent = store.start_run("sweep", {"frostline.kind": "sweep"})
    tags = {"frostline.kind": "job", "frostline.job_digest": "d1"}
    child = store.start_run("job", tags, parent.run_id)
    child.log_params({"lr": 0.1})
    child.log_metrics({"val/loss": 2.0}, 0)
    child.log_metrics({"val/loss": 1.0}, 1)
    (tmp_path / "best.ckpt").write_bytes(b"weights")
    child.log_artifact(tmp_path / "best.ckpt", "checkpoints")
    child.log_dict({"lr": 0.1}, "config.yaml")
    child.finish("FINISHED")
    parent.finish("FINISHED")

    (record,) = store.find_runs({"frostline.job_digest": "d1"}, status=["FINISHED"])
    assert record.metrics == {"val/loss": 1.0}
    assert record.parent_run_id == parent.run_id
    assert store.fetch_artifact(record.run_id, "checkpoints/best.ckpt").read_bytes() == b"weights"
    assert store.fetch_artifact(record.run_id, "config.yaml").read_text() == "lr: 0.1\n"
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchall() == [(0,)]

    online = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    (delivered,) = online.find_runs({"frostline.job_digest": "d1"})
    (sweep,) = online.find_runs({"frostline.kind": "sweep"})
    assert delivered.parent_run_id == sweep.run_id
    assert not delivered.run_id.startswith("offline-")
    assert (delivered.status, dict(delivered.params)) == ("FINISHED", {"lr": "0.1"})
    assert [point.value for point in online.metric_history(delivered.run_id, "val/loss")] == [2, 1]
    best = online.fetch_artifact(delivered.run_id, "checkpoints/best.ckpt")
    assert best.is_relative_to(tmp_path / "mlartifacts")


@pytest.mark.parametrize("later_ms", [0, -5000], ids=["in-one-moment", "clock-set-back"])
def test_a_sweep_is_delivered_before_its_job(fresh_store_uri, tmp_path, monkeypatch, later_ms):
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path, offline=True)
    begun_ms = int(time.time() * 1000)
    monkeypatch.setattr(run_module, "_now_ms", lambda: begun_ms)
    parent = store.start_run("sweep", {"frostline.kind": "sweep"})
    monkeypatch.setattr(run_module, "_now_ms", lambda: begun_ms + later_ms)
    store.start_run("job", {"frostline.kind": "job"}, parent.run_id).finish("FINISHED")
    parent.finish("FINISHED")

    online = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    (job,) = online.find_runs({"frostline.kind": "job"})
    (sweep,) = online.find_runs({"frostline.kind": "sweep"})
    assert job.parent_run_id == sweep.run_id
    assert not job.run_id.startswith("offline-")
    assert waiting_files(tmp_path) == []


def test_a_job_waits_for_its_living_sweep_without_an_outage(fresh_store_uri, tmp_path, caplog):
    offline = open_store(fresh_store_uri, "leaves", folder=tmp_path, offline=True)
    parent = offline.start_run("sweep", {"frostline.kind": "sweep"})
    child = offline.start_run("job", {"frostline.kind": "job"}, parent.run_id)
    child.finish("FINISHED")
    online = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    later = online.start_run("later", {})
    assert not later.run_id.startswith("offline-")
    assert "cannot be reached" not in caplog.text
    parent.finish("FINISHED")
    assert online.deliver_pending() == 0
    (job,) = online.find_runs({"frostline.kind": "job"})
    (sweep,) = online.find_runs({"frostline.kind": "sweep"})
    assert job.parent_run_id == sweep.run_id


def test_a_job_resumed_offline_keeps_its_sweep(fresh_store_uri, tmp_path):
    offline = open_store(fresh_store_uri, "leaves", folder=tmp_path, offline=True)
    parent = offline.start_run("sweep", {"frostline.kind": "sweep"})
    child = offline.start_run("job", {"frostline.kind": "job"}, parent.run_id)
    child.finish("KILLED")
    again = offline.resume_run(child.run_id)
    again.set_tags({"mlflow.parentRunId": parent.run_id})
    again.finish("FINISHED")
    parent.finish("FINISHED")
    online = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    (job,) = online.find_runs({"frostline.kind": "job"})
    (sweep,) = online.find_runs({"frostline.kind": "sweep"})
    assert job.parent_run_id == sweep.run_id


def test_a_store_lost_in_training_never_hides_the_training_error(server, tmp_path):
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    with pytest.raises(ZeroDivisionError):
        try:
            run.log_metrics({"loss": 1.0}, 0)
            server.kill()
            _ = 1 / 0
        except ZeroDivisionError:
            run.log_text("Traceback", "traceback.txt")
            run.finish("FAILED", "ZeroDivisionError")
            raise


def test_full_disk_for_the_journal_keeps_it_in_memory(server, tmp_path):
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    server.kill()
    (tmp_path / ".frostline" / "journal").write_text("in the way: no folder can be made here")
    run.log_metrics({"loss": 1.0}, 0)
    run.log_metrics({"loss": 2.0}, 1)
    assert run.undelivered == 2
    server.start()
    assert run.finish("FINISHED")
    assert _rows(server, "SELECT value FROM metrics ORDER BY step") == [(1.0,), (2.0,)]

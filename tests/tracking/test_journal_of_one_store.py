"""A journal waits for its own store, whatever else happens in its folder, and loses nothing."""

import json
import shutil
import sqlite3

import pytest

from frostline.tracking import store_client, undelivered
from frostline.tracking.journal_file import read_entries, read_note
from frostline.tracking.store import open_store


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(store_client, "_FIRST_PAUSE_S", 1e-6)
    monkeypatch.setattr(store_client, "_MAX_PAUSE_S", 1e-6)
    monkeypatch.setattr(undelivered, "_PAUSE_S", 0.0)


def _losses(store, run_id):
    return [point.value for point in store.metric_history(run_id, "loss")]


def _offline_run(uri, folder, name="job", loss=1.0):
    run = open_store(uri, "leaves", folder=folder, offline=True).start_run(name, {})
    run.log_metrics({"loss": loss}, 0)
    (folder / "best.ckpt").write_bytes(b"weights")
    run.log_artifact(folder / "best.ckpt", "checkpoints")
    run.finish("FINISHED")
    return run


def _as_made_at(database, time_ms):
    """Another store: a database that was made at another time."""
    with sqlite3.connect(database) as connection:
        connection.execute(
            "UPDATE experiments SET creation_time = ? WHERE experiment_id = 0", (time_ms,)
        )


def test_a_command_on_another_store_leaves_what_waits_for_a_server(server, tmp_path):
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    run = store.start_run("job", {})
    run.log_metrics({"loss": 1.0}, 0)
    server.kill()
    run.log_metrics({"loss": 0.5}, 1)
    (tmp_path / "best.ckpt").write_bytes(b"weights")
    run.log_artifact(tmp_path / "best.ckpt", "checkpoints")
    assert not run.finish("FINISHED")

    other = open_store(f"sqlite:///{tmp_path}/other.db", "leaves")
    assert other.find_runs({}) == []

    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    assert store.get_run(run.run_id).status == "FINISHED"
    assert _losses(store, run.run_id) == [1.0, 0.5]
    assert store.list_artifacts(run.run_id, "checkpoints") == ["checkpoints/best.ckpt"]


def test_what_began_offline_for_one_file_never_lands_in_another(tmp_path, empty_store_file):
    for name in ("a.db", "b.db"):
        shutil.copyfile(empty_store_file, tmp_path / name)
    a, b = f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"
    run = _offline_run(a, tmp_path)
    other = open_store(b, "leaves")
    assert (other.find_runs({}), other.deliver_pending()) == ([], 0)
    store = open_store(a, "leaves")
    (record,) = store.find_runs({})
    assert store.get_run(run.run_id).run_id == record.run_id != run.run_id
    assert _losses(store, record.run_id) == [1.0]


def test_another_store_at_the_same_address_gets_nothing(server, tmp_path, caplog):
    server.start()
    first = open_store(server.uri, "leaves", folder=tmp_path)
    server.kill()
    run = first.start_run("begun while down", {})
    run.log_metrics({"loss": 1.0}, 0)
    run.finish("FINISHED")
    right = server.database.read_bytes()

    _as_made_at(server.database, 1)
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    assert store.client.search_runs([store._store_client.experiment_id("leaves")]) == []
    assert "another store is at" in caplog.text
    server.kill()
    server.database.write_bytes(right)
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    (stored,) = store.find_runs({})
    assert not stored.run_id.startswith("offline-")
    assert _losses(store, stored.run_id) == [1.0]
    assert not list(store.address.journals_dir.iterdir())


def test_a_moved_folder_keeps_its_journals_and_their_files(tmp_path, empty_store_file):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    shutil.copyfile(empty_store_file, old / "m.db")
    run = _offline_run(f"sqlite:///{old}/m.db", old)
    old.rename(new)
    store = open_store(f"sqlite:///{new}/m.db", "leaves")
    stored = store.get_run(run.run_id)
    assert not stored.run_id.startswith("offline-")
    assert store.fetch_artifact(stored.run_id, "checkpoints/best.ckpt").read_bytes() == b"weights"


@pytest.mark.parametrize("end", ["deleted", "never there"])
def test_a_hopeless_journal_is_set_aside_and_holds_up_no_other(server, tmp_path, caplog, end):
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    before = server.database.read_bytes()
    gone, well = store.start_run("gone", {}), store.start_run("well", {})
    if end == "never there":  # the database is restored from before the run
        well.finish("KILLED")
        server.kill()
        server.database.write_bytes(before)
        well = store.start_run("well", {})
    else:
        store.client.delete_run(gone.run_id)
        server.kill()
    for run in (gone, well):
        run.log_metrics({"loss": 1.0}, 0)
        run.finish("FINISHED")
    server.start()
    caplog.clear()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    assert f"run {gone.run_id}: entries cannot be delivered" in caplog.text
    assert _losses(store, store.get_run(well.run_id).run_id) == [1.0]
    assert store.start_run("next", {}).run_id.startswith("offline-") is False
    path = store.address.journals_dir / f"{gone.run_id}.jsonl"
    assert [entry["op"] for entry in read_entries(path)] == ["metrics", "status"]
    assert read_note(path).aside
    caplog.clear()
    assert open_store(server.uri, "leaves", folder=tmp_path).deliver_pending() == 1
    assert "cannot be" not in caplog.text  # said once


def test_a_run_deleted_while_it_trains_keeps_what_it_logs(fresh_store_uri, tmp_path, caplog):
    store = open_store(fresh_store_uri, "leaves")
    run = store.start_run("job", {})
    store.client.delete_run(run.run_id)
    run.log_metrics({"loss": 1.0}, 0)
    (tmp_path / "best.ckpt").write_bytes(b"weights")
    run.log_artifact(tmp_path / "best.ckpt", "checkpoints")
    assert not run.finish("FINISHED")
    path = store.address.journals_dir / f"{run.run_id}.jsonl"
    assert [entry["op"] for entry in read_entries(path)] == ["metrics", "artifact", "status"]
    assert "was deleted in the store" in caplog.text
    assert "cannot be reached" not in caplog.text
    other = store.start_run("other", {})
    other.log_metrics({"loss": 2.0}, 0)
    assert other.undelivered == 0


def test_a_refused_entry_is_kept_with_its_reason(server, tmp_path):
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    run = store.start_run("job", {})
    run.log_params({"lr": 0.1})
    server.kill()
    run.log_params({"lr": 0.2})  # MLflow never changes a parameter
    run.log_metrics({"loss": 1.0}, 0)
    run.finish("FINISHED")
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    assert _losses(store, run.run_id) == [1.0]
    _, kept = (store.address.journals_dir / f"{run.run_id}.refused").read_text().splitlines()
    assert json.loads(kept)["values"] == {"lr": "0.2"}
    assert "Changing param values" in json.loads(kept)["refused"]


def test_a_database_that_turns_to_garbage_keeps_the_entries(fresh_store_uri, tmp_path):
    database = tmp_path / "mlflow.db"
    store = open_store(fresh_store_uri, "leaves")
    run = store.start_run("job", {})
    run.log_metrics({"loss": 1.0}, 0)
    whole = database.read_bytes()
    database.write_bytes(b"garbage " * (len(whole) // 8))
    run.log_metrics({"loss": 0.5}, 1)
    run.log_params({"lr": 0.1})
    (tmp_path / "best.ckpt").write_bytes(b"weights")
    run.log_artifact(tmp_path / "best.ckpt", "checkpoints")
    assert not run.finish("FINISHED")
    late = open_store(fresh_store_uri, "leaves", must_answer=False).start_run("late", {})
    late.log_metrics({"loss": 2.0}, 0)
    late.finish("FINISHED")
    database.write_bytes(whole)
    store = open_store(fresh_store_uri, "leaves")
    assert _losses(store, run.run_id) == [1.0, 0.5]
    record = store.get_run(run.run_id)
    assert (record.status, record.params) == ("FINISHED", {"lr": "0.1"})
    assert store.list_artifacts(run.run_id, "checkpoints") == ["checkpoints/best.ckpt"]
    assert _losses(store, store.get_run(late.run_id).run_id) == [2.0]


def test_journals_of_older_versions_go_to_the_store_that_has_their_run(tmp_path, empty_store_file):
    for name in ("a.db", "b.db"):
        shutil.copyfile(empty_store_file, tmp_path / name)
    store = open_store(f"sqlite:///{tmp_path}/a.db", "leaves")
    run_id = store.start_run("job", {}).run_id
    folder = tmp_path / ".frostline" / "journal"
    folder.mkdir(exist_ok=True)
    (folder / f"{run_id}.jsonl").write_text('{"op": "params", "values": {"lr": "0.1"}}\n')
    (folder / "offline-1.jsonl").write_text(
        '{"op": "create", "t": 1, "name": "x", "experiment": "leaves", "tags": {}}\n'
    )
    open_store(f"sqlite:///{tmp_path}/b.db", "leaves")
    assert (folder / f"{run_id}.jsonl").exists()
    (tmp_path / ".frostline" / "locks" / f"run-{run_id}.lock").unlink()
    store = open_store(f"sqlite:///{tmp_path}/a.db", "leaves")
    assert store.get_run(run_id).params == {"lr": "0.1"}
    assert [path.name for path in folder.rglob("*.jsonl")] == ["offline-1.jsonl"]

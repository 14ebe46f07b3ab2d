import sqlite3

import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  (so that forked starters really race)

from frostline.tracking.store import open_store

from .conftest import FORK

EPOCHS = 20
METRICS = 8


def _write(uri, folder, barrier, number):
    barrier.wait(60)
    store = open_store(uri, "leaves", folder=folder)
    run = store.start_run(f"job{number}", {"frostline.sweep_id": "s"})
    run.log_params({"number": number})
    for epoch in range(EPOCHS):
        run.log_metrics({f"m{key}": number + epoch / 100 for key in range(METRICS)}, epoch)
    delivered = run.finish("FINISHED")
    raise SystemExit(0 if delivered and not run.problems else 3)


def _start(uri, folder, count):
    barrier = FORK.Barrier(count)
    workers = [FORK.Process(target=_write, args=(uri, folder, barrier, n)) for n in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    return [worker.exitcode for worker in workers]


def _rows(database, query):
    with sqlite3.connect(database) as connection:
        return connection.execute(query).fetchall()


def test_two_starts_at_once_on_a_fresh_store(tmp_path):
    assert _start(None, tmp_path, 2) == [0, 0]
    database = tmp_path / "mlflow.db"
    assert _rows(database, "PRAGMA integrity_check") == [("ok",)]
    assert _rows(database, "SELECT count(*) FROM metrics") == [(2 * EPOCHS * METRICS,)]
    assert _rows(database, "SELECT name FROM experiments ORDER BY name") == [
        ("Default",),
        ("leaves",),
    ]
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"mlflow.db", "mlflow.db.lock", ".frostline", "mlartifacts"}


def test_six_writers_lose_nothing(tmp_path, fresh_store_uri):
    assert _start(fresh_store_uri, tmp_path, 6) == [0] * 6
    database = tmp_path / "mlflow.db"
    assert _rows(database, "SELECT count(*) FROM metrics") == [(6 * EPOCHS * METRICS,)]
    assert _rows(database, "SELECT count(DISTINCT run_uuid) FROM metrics") == [(6,)]
    assert _rows(database, "SELECT status, count(*) FROM runs GROUP BY status") == [("FINISHED", 6)]
    records = open_store(fresh_store_uri, "leaves", folder=tmp_path).find_runs(
        {"frostline.sweep_id": "s"}
    )
    assert sorted(int(record.params["number"]) for record in records) == list(range(6))
    assert all(len(record.metrics) == METRICS for record in records)


def test_a_store_opened_before_the_fork_serves_parent_and_children(tmp_path, fresh_store_uri):
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    parent = store.start_run("sweep", {})

    def child(number):
        run = store.start_run(f"child{number}", {}, parent.run_id)
        for epoch in range(10):
            run.log_metrics({"loss": float(epoch)}, epoch)
        raise SystemExit(0 if run.finish("FINISHED") else 3)

    workers = [FORK.Process(target=child, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for epoch in range(10):
        parent.log_metrics({"done": float(epoch)}, epoch)
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert parent.finish("FINISHED")
    children = store.find_runs({"mlflow.parentRunId": parent.run_id})
    assert sorted(record.name for record in children) == ["child0", "child1", "child2"]
    assert len(store.metric_history(parent.run_id, "done")) == 10

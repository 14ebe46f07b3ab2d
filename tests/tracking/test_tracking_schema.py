import os
import resource
import signal
import sqlite3
import subprocess
import sys
from types import SimpleNamespace

import pytest

from frostline.errors import TrackingError
from frostline.tracking import database_schema as schema
from frostline.tracking.store import open_store


def _execute(database, statement):
    with sqlite3.connect(database) as connection:
        connection.execute(statement)


def test_schema_of_another_version(fresh_store_uri, tmp_path):
    database = tmp_path / "mlflow.db"
    _execute(database, "UPDATE alembic_version SET version_num = 'acf3f17fdcc7'")
    before = database.read_bytes()
    with pytest.raises(TrackingError) as caught:
        open_store(fresh_store_uri, "leaves", folder=tmp_path)
    message = str(caught.value)
    assert "its schema is acf3f17fdcc7, MLflow" in message
    assert f"cp {database} {database}.backup" in message
    assert f"mlflow db upgrade sqlite:///{database}" in message
    assert database.read_bytes() == before


def test_an_old_schema_is_not_migrated_without_asking(fresh_store_uri, tmp_path):
    """MLflow itself migrates a database that lacks a table, without a backup."""
    database = tmp_path / "mlflow.db"
    _execute(database, "UPDATE alembic_version SET version_num = 'acf3f17fdcc7'")
    _execute(database, "DROP TABLE webhook_events")
    with pytest.raises(TrackingError, match="mlflow db upgrade"):
        open_store(fresh_store_uri, "leaves", folder=tmp_path)
    with sqlite3.connect(database) as connection:
        versions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    assert versions == [("acf3f17fdcc7",)]


def test_a_database_of_something_else(tmp_path):
    _execute(tmp_path / "other.db", "CREATE TABLE birds (name TEXT)")
    with pytest.raises(TrackingError, match=r"other\.db is not a database of MLflow"):
        open_store("sqlite:///other.db", "leaves", folder=tmp_path)


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "text.db").write_text("not a database, but long enough to look at" * 50)
    with pytest.raises(TrackingError, match=r"text\.db is not a database of MLflow"):
        open_store("sqlite:///text.db", "leaves", folder=tmp_path)


_KILLED_IN_A_WRITE = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")  # so that the file is changed before the commit
connection.execute("BEGIN")
connection.execute("UPDATE alembic_version SET version_num = 'half'")
connection.execute("CREATE TABLE half (text TEXT)")
connection.executemany("INSERT INTO half VALUES (?)", [("x" * 1000,)] * 500)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_in_the_middle_of_a_write(fresh_store_uri, tmp_path):
    database = tmp_path / "mlflow.db"
    whole = database.stat().st_size
    subprocess.run([sys.executable, "-c", _KILLED_IN_A_WRITE, str(database)], check=False)
    assert database.stat().st_size > whole
    assert database.with_name("mlflow.db-journal").stat().st_size > 0
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    assert store.start_run("a", {}).finish("FINISHED")
    with sqlite3.connect(database) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall()
    assert tables == []


def test_a_database_that_another_process_holds(fresh_store_uri, tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "_MAX_LOCKED_S", 0.1)
    with sqlite3.connect(tmp_path / "mlflow.db") as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError, match=r"locked(.|\n)*another process holds") as caught:
            open_store(fresh_store_uri, "leaves", folder=tmp_path)
    assert "move it away" not in str(caught.value)


def test_an_empty_file_becomes_a_store(tmp_path):
    (tmp_path / "mlflow.db").touch()
    store = open_store(None, "leaves", folder=tmp_path)
    assert store.start_run("a", {}).finish("FINISHED")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("a file where a folder is wanted")
    with pytest.raises(TrackingError, match=r"cannot be opened(.|\n)*can be written to"):
        open_store("sqlite:///file/mlflow.db", "leaves", folder=tmp_path)


_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from frostline.errors import TrackingError
from frostline.tracking import database_schema as schema
from frostline.tracking.store import open_store
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    open_store(None, "leaves", folder=Path(sys.argv[1]))
except TrackingError as error:
    print(error)
    sys.exit(7)
"""


def test_full_disk_while_a_fresh_store_is_made(tmp_path):
    """A limit on file size makes writes fail as a full disk does."""
    command = [sys.executable, "-c", _ON_A_FULL_DISK, str(tmp_path), str(300_000)]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": "."},
        preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )
    assert ended.returncode == 7, ended.stderr
    assert "the tracking store sqlite:///" in ended.stdout
    assert "free some space" in ended.stdout
    left = [file.name for file in tmp_path.iterdir() if "mlflow.db" in file.name]
    assert left == ["mlflow.db.lock"]
    store = open_store(None, "leaves", folder=tmp_path)  # and with room again it simply works
    assert store.start_run("a", {}).finish("FINISHED")


def test_full_disk_in_mid_run(fresh_store_uri, tmp_path):
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    run.log_metrics({"loss": 1.0}, 0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        run.log_metrics({"loss": 2.0}, 1)
        run.log_text("Traceback", "traceback.txt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert run.undelivered == 2
    assert run.finish("FAILED", "disk full")
    assert [point.value for point in store.metric_history(run.run_id, "loss")] == [1.0, 2.0]
    assert store.fetch_artifact(run.run_id, "traceback.txt").read_text() == "Traceback"
    assert store.get_run(run.run_id).status == "FAILED"


def test_a_network_disk_is_warned_of(fresh_store_uri, tmp_path, monkeypatch, caplog):
    """The list of mounts is made up: a network disk cannot be had in a test."""
    mounts = [
        SimpleNamespace(mountpoint="/", fstype="ext4"),
        SimpleNamespace(mountpoint=str(tmp_path), fstype="nfs4"),
    ]
    monkeypatch.setattr("psutil.disk_partitions", lambda all: mounts)
    open_store(fresh_store_uri, "leaves", folder=tmp_path)
    assert "lies on a network disk (nfs4)" in caplog.text
    mounts[1].fstype = "xfs"
    caplog.clear()
    open_store(fresh_store_uri, "leaves", folder=tmp_path)
    assert caplog.text == ""

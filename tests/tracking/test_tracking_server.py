"""The `mlflow server` command itself, killed in mid-run (the quick tests run its app alone)."""

import os
import sqlite3
import subprocess
import time
import urllib.request

import psutil
import pytest

from frostline.commands.ui import free_port, server_command
from frostline.tracking import store_client
from frostline.tracking.address import resolve_address
from frostline.tracking.store import open_store


class _Command:
    def __init__(self, folder, port):
        self.address = resolve_address("sqlite:///served.db", folder)
        self.command = server_command(self.address, port)
        self.url = f"http://127.0.0.1:{port}"
        self.process = None

    def start(self):
        extra = {
            "MLFLOW_BACKEND_STORE_URI": self.address.uri,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        self.process = subprocess.Popen(
            self.command,
            env=os.environ | extra,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(480):
            try:
                with urllib.request.urlopen(self.url + "/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.25)
        raise AssertionError("mlflow server did not come up")

    def kill(self):
        if self.process is None:
            return
        family = [*psutil.Process(self.process.pid).children(recursive=True), self.process]
        for process in family:
            process.kill()
        self.process.wait(10)
        psutil.wait_procs(family[:-1], timeout=10)
        self.process = None


@pytest.fixture
def command(tmp_path, empty_store_file):
    made = _Command(tmp_path, free_port())
    made.address.database.write_bytes(empty_store_file.read_bytes())
    yield made
    made.kill()


@pytest.mark.slow
def test_mlflow_server_killed_in_mid_run(command, tmp_path, monkeypatch):
    monkeypatch.setattr(store_client, "_FIRST_PAUSE_S", 1e-6)
    monkeypatch.setattr(store_client, "_MAX_PAUSE_S", 1e-6)
    command.start()
    store = open_store(command.url, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    run.log_metrics({"loss": 0.0}, 0)
    command.kill()
    for epoch in range(1, 6):
        run.log_metrics({"loss": float(epoch)}, epoch)
    assert not run.finish("FINISHED")
    command.start()
    again = open_store(command.url, "leaves", folder=tmp_path)
    assert again.get_run(run.run_id).status == "FINISHED"
    with sqlite3.connect(command.address.database) as connection:
        rows = connection.execute("SELECT step, value FROM metrics ORDER BY step").fetchall()
    assert rows == [(epoch, float(epoch)) for epoch in range(6)]

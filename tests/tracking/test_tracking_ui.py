import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from frostline.commands.ui import check_port, free_port, main, run_links, server_command
from frostline.errors import TrackingError
from frostline.tracking.address import resolve_address
from frostline.tracking.connection import Connection
from frostline.tracking.store import open_store


def test_port_in_use_names_another(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError, match=rf"port {port} cannot be used: .*in use"):
            check_port(port)
        assert main(["--port", str(port)]) == 1
    assert "--port" in capsys.readouterr().err
    assert not (tmp_path / "mlflow.db").exists()


def test_impossible_port():
    with pytest.raises(TrackingError, match="there is no such port"):
        check_port(70000)


def test_only_this_machine_and_no_password_in_the_list_of_processes(tmp_path):
    address = resolve_address("postgresql://me:secret@host/runs", tmp_path)
    command = server_command(address, 5000)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert not [word for word in command if "secret" in word]


def test_links_lead_to_the_runs_of_each_experiment_that_has_some(fresh_store_uri, tmp_path):
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    open_store(fresh_store_uri, "empty", folder=tmp_path)
    store.start_run("one", {}).finish("FINISHED")
    connection = Connection(store.address)
    number = connection.client.get_experiment_by_name("leaves").experiment_id
    assert run_links(connection, 5999) == [
        f"  leaves: http://127.0.0.1:5999/#/experiments/{number}/runs?workflowType=machine_learning"
        "&orderByKey=metrics.%60val_best%2Ff1_macro%60&orderByAsc=false"
    ]


def test_for_a_server_only_its_address_is_printed(capsys, monkeypatch):
    assert main(["--uri", "http://127.0.0.1:5999"]) == 0
    assert "open http://127.0.0.1:5999" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_page_comes_up_and_ends_without_a_traceback(sent, fresh_store_uri, tmp_path):
    open_store(fresh_store_uri, "leaves", folder=tmp_path)
    port = free_port()
    command = [sys.executable, "-m", "src.ui", "--uri", fresh_store_uri]
    ui = subprocess.Popen(
        [*command, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        start_new_session=True,
    )
    for _ in range(240):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                page = answer.read().decode()
            break
        except OSError:
            assert ui.poll() is None
            time.sleep(0.25)
    assert "<title>MLflow</title>" in page
    started = psutil.Process(ui.pid).children(recursive=True)
    os.killpg(ui.pid, sent)
    printed, _ = ui.communicate(timeout=30)
    assert ui.returncode == 0
    assert f"http://127.0.0.1:{port}" in printed
    assert "Traceback" not in printed
    psutil.wait_procs(started, timeout=10)
    assert not [process for process in started if process.is_running()]

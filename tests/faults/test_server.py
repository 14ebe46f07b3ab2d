"""Row 17 on what a group of people uses: `mlflow server` over PostgreSQL, killed in mid-sweep."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from frostline.tracking.store import open_store
from tests.faults.conftest import LONGEST_S, TRAINING, Started, call
from tests.integration.conftest import draw_classes, environment


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_tool(name: str) -> str | None:
    """Debian keeps the server's programs out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty PostgreSQL database of this test's own."""
    if postgres_tool("initdb") is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed (the extra `postgresql`)")
    # Short: the path of a socket is limited; outside pytest's folder, which is for its user alone.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    become: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        become = ["runuser", "-u", "postgres", "--"]
    port = free_port()

    def tool(name: str, *arguments: str) -> None:
        subprocess.run(
            [*become, str(postgres_tool(name)), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            timeout=LONGEST_S,
        )

    data = str(folder / "data")
    tool("initdb", "-D", data, "-A", "trust", "-U", "frostline", "-N")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    tool("pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        tool("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "frostline", "mlflow")
        yield f"postgresql://frostline@127.0.0.1:{port}/mlflow"
    finally:
        tool("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


class MlflowServer:
    """The command that a group would run; `kill` is a SIGKILL of all its processes."""

    def __init__(self, database: str, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
        self._command += ["--port", str(self.port), "--workers", "1"]
        self._command += ["--backend-store-uri", database]
        self._command += ["--artifacts-destination", str(folder / "served")]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=environment(self._folder) | {"MLFLOW_DISABLE_TELEMETRY": "true"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end_s = time.monotonic() + LONGEST_S
        while True:
            try:
                with urllib.request.urlopen(self.uri + "/health", timeout=5):
                    return
            except OSError:
                log_text = (self._folder / "server.log").read_text()
                assert self._process.poll() is None, log_text
                assert time.monotonic() < end_s, log_text
                time.sleep(0.2)

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)
            self._process = None


@pytest.mark.slow
def test_a_server_on_postgresql_that_dies_in_mid_sweep_loses_nothing(
    database: str, tmp_path: Path
) -> None:
    draw_classes(tmp_path / "photos", per_class=16)
    server = MlflowServer(database, tmp_path)
    server.start()
    sweep = ("-m", *TRAINING, "lr=0.001,0.002", f"tracking.uri={server.uri}")
    started = Started(tmp_path, *sweep, faults="hold@0.002")
    try:
        started.paused_job()  # in the second epoch of the second job
        server.kill()
        (tmp_path / "mark").unlink()
        assert started.process.wait(LONGEST_S) == 0, started.text
        assert "test_resnet" in started.text
        server.start()
        again = call(tmp_path, *sweep)
        assert again.returncode == 0, again.stderr
        assert "2 jobs, 2 of them finished already" in again.stderr
        store = open_store(server.uri, "photos", folder=tmp_path)
        runs = store.find_runs({"frostline.kind": "job"})
        assert sorted((run.params["lr"], run.status) for run in runs) == [
            ("0.001", "FINISHED"),
            ("0.002", "FINISHED"),
        ]
        for run in runs:
            for metric in ("train/loss", "val/loss", "val/f1_macro"):
                history = store.metric_history(run.run_id, metric)
                assert [point.step for point in history] == [0, 1, 2]
            assert "test/f1_macro" in run.metrics
            best = store.fetch_artifact(run.run_id, "checkpoints/best.ckpt", tmp_path / run.run_id)
            assert best.stat().st_size > 1_000_000
        assert (tmp_path / "served").is_dir()
    finally:
        started.end()
        server.kill()

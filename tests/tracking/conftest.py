"""A real MLflow server for tests that take it away: its app in a process that can be killed."""

import multiprocessing
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

FORK = multiprocessing.get_context("fork")


def _serve(database: Path, artifacts: Path, port: int, login: tuple[str, str] | None) -> None:
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = f"sqlite:///{database}"
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = "mlflow-artifacts:/"
    os.environ["_MLFLOW_SERVER_ARTIFACT_DESTINATION"] = str(artifacts)
    os.environ["_MLFLOW_SERVER_SERVE_ARTIFACTS"] = "true"
    from flask import Response, request
    from mlflow.server import app
    from werkzeug.serving import make_server

    def refuse_strangers() -> Response | None:
        given = request.authorization
        if given is not None and (given.username, given.password) == login:
            return None
        return Response("who are you?", 401, {"WWW-Authenticate": "Basic"})

    if login is not None:
        app.before_request(refuse_strangers)
    make_server("127.0.0.1", port, app, threaded=True).serve_forever()


class Server:
    """MLflow's REST application over a sqlite file; `kill` is a SIGKILL."""

    def __init__(self, folder: Path, port: int) -> None:
        self.database = folder / "served.db"
        self.artifacts = folder / "served_artifacts"
        self.port = port
        self.uri = f"http://127.0.0.1:{port}"
        self.login: tuple[str, str] | None = None  # user and password that it asks for
        self._process = None

    def start(self) -> None:
        self._process = FORK.Process(
            target=_serve,
            args=(self.database, self.artifacts, self.port, self.login),
            daemon=True,
        )
        self._process.start()
        for _ in range(300):
            try:
                with urllib.request.urlopen(self.uri + "/health", timeout=5):
                    return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server did not come up")

    def kill(self) -> None:
        if self._process is not None and self._process.is_alive():
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.join(10)


@pytest.fixture
def server(tmp_path: Path, empty_store_file: Path) -> Iterator[Server]:
    """A server on a free port over an empty store; started by the test."""
    import mlflow.server  # noqa: F401  (imported once, so that each start is a quick fork)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = Server(tmp_path, port)
    made.database.write_bytes(empty_store_file.read_bytes())
    yield made
    made.kill()


@pytest.fixture(autouse=True)
def _no_outer_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

"""MLflow's page over our store: python -m src.ui [--uri URI] [--port 5000]."""

import argparse
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from frostline.errors import FrostlineError, TrackingError
from frostline.tracking.address import Address, resolve_address
from frostline.tracking.connection import Connection

HOST = "127.0.0.1"
_SERVER_ENVIRONMENT = {
    # MLflow would start seven more processes for jobs of its own that we never ask for.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


def main(words: Sequence[str] | None = None) -> int:
    """Show the store until Ctrl-C.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m src.ui", description=__doc__)
    parser.add_argument("--uri", help="the store; default: MLFLOW_TRACKING_URI, else mlflow.db")
    parser.add_argument("--port", type=int, default=5000, help="port on 127.0.0.1")
    given = parser.parse_args(words)
    try:
        show(resolve_address(given.uri, Path.cwd()), given.port)
    except FrostlineError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def show(address: Address, port: int) -> None:
    """Run MLflow's server for this machine only, until it is asked to end.

    Args:
        address: The store.
        port: Port on 127.0.0.1; nothing else can reach it.

    Raises:
        TrackingError: If the port is taken, the store cannot be opened, or the server fails.
    """
    if address.kind == "server":
        print(f"This store is an MLflow server already: open {address.shown}")
        return
    check_port(port)
    Connection(address).client.search_experiments(max_results=1)  # made, or its version refused
    print(
        f"MLflow shows {address.shown} at http://{HOST}:{port} in some seconds (Ctrl-C ends it)",
        flush=True,
    )
    # In a session of its own, so that Ctrl-C reaches only us and the server is asked to end: on
    # Ctrl-C it would print a traceback.
    server = subprocess.Popen(
        server_command(address, port),
        env=os.environ | _SERVER_ENVIRONMENT | _store_of(address),
        start_new_session=True,
    )
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    signal.signal(signal.SIGINT, lambda *_: server.terminate())
    code = server.wait()
    if code not in {0, -signal.SIGTERM}:
        raise TrackingError(f"MLflow's server ended with code {code}", todo="see its lines above")


def _store_of(address: Address) -> dict[str, str]:
    return {"MLFLOW_BACKEND_STORE_URI": address.uri}


def server_command(address: Address, port: int) -> list[str]:
    """The command that serves a store on this machine only.

    The store itself is given as `MLFLOW_BACKEND_STORE_URI`: a password has no place in a list of
    processes.
    """
    root = [] if address.artifact_root is None else [address.artifact_root.as_uri()]
    return [
        sys.executable,
        *("-m", "mlflow", "server"),
        *(word for place in root for word in ("--default-artifact-root", place)),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
        *("--uvicorn-opts", "--log-level warning"),
    ]


def check_port(port: int) -> None:
    """See that a port of this machine is free.

    Raises:
        TrackingError: If it is taken; the message names a free one.
    """
    if not 1 <= port <= 65535:
        raise TrackingError(f"--port {port}: there is no such port", "1 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise TrackingError(
                f"port {port} cannot be used: {error.strerror}",
                todo=f"make ui PORT={free_port()}, or --port {free_port()}",
            ) from error


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])

"""MLflow's page over our store: python -m src.tracking.ui [--uri URI] [--port 5000]."""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from src.errors import FrostlineError, TrackingError
from src.tracking.address import Address, resolve_address
from src.tracking.connection import Connection

HOST = "127.0.0.1"


def main(words: Sequence[str] | None = None) -> int:
    """Show the store until Ctrl-C.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m src.tracking.ui", description=__doc__)
    parser.add_argument("--uri", help="the store; default: MLFLOW_TRACKING_URI, else mlflow.db")
    parser.add_argument("--port", type=int, default=5000, help="port on 127.0.0.1")
    given = parser.parse_args(words)
    try:
        return show(resolve_address(given.uri, Path.cwd()), given.port)
    except FrostlineError as error:
        print(error, file=sys.stderr)
        return 1


def show(address: Address, port: int) -> int:
    """Become MLflow's server, for this machine only; returns where there is none to start.

    Args:
        address: The store.
        port: Port on 127.0.0.1; nothing else can reach it.

    Raises:
        TrackingError: If the port is taken, or the store cannot be opened.
    """
    if address.kind == "server":
        print(f"This store is an MLflow server already: open {address.shown}")
        return 0
    check_port(port)
    Connection(address).client.search_experiments(max_results=1)  # made, or its version refused
    print(f"MLflow shows {address.shown} at http://{HOST}:{port} (Ctrl-C ends it)", flush=True)
    command = server_command(address, port)
    # The server takes this process over, so that signals reach it and nothing is left behind.
    environment = os.environ | {"MLFLOW_BACKEND_STORE_URI": address.uri}
    os.execve(command[0], command, environment)


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


if __name__ == "__main__":
    sys.exit(main())

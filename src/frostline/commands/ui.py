"""MLflow's pages for the tracking store, on 127.0.0.1.

python -m src.ui                              # mlflow.db here, on port 5000
python -m src.ui --port 5001
python -m src.ui --uri sqlite:///other/mlflow.db
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from frostline.commands.arguments import command_parser
from frostline.errors import FrostlineError, TrackingError
from frostline.invocation import in_checkout
from frostline.stats.rules import DEFAULT_RULES
from frostline.tracking.address import Address, resolve_address
from frostline.tracking.connection import Connection
from frostline.tracking.records import CELL, KIND_TAG

HOST = "127.0.0.1"
MAX_LINKS = 8
# The view for training, best score first; MLflow would open the one for language models.
_VIEW = "workflowType=machine_learning&" + urlencode(
    {"orderByKey": f"metrics.`{DEFAULT_RULES.metric}`", "orderByAsc": "false"}
)
# The rows of configurations over their seeds, the smallest expected loss first.
_CELLS = "workflowType=machine_learning&" + urlencode(
    {
        "searchFilter": 'tags.`frostline.kind` = "cell"',
        "orderByKey": "metrics.`cell/expected_loss`",
        "orderByAsc": "true",
    }
)
_SERVER_ENVIRONMENT = {
    # MLflow would start seven more processes for jobs that Frostline never uses.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the store until Ctrl-C.

    Args:
        arguments: The command line; None means that of this process.

    Returns:
        The exit code.
    """
    parser = command_parser("src.ui", __doc__)
    parser.add_argument("--uri", help="the store; default: MLFLOW_TRACKING_URI, else mlflow.db")
    parser.add_argument("--port", type=int, default=5000, help="port on 127.0.0.1")
    given = parser.parse_args(arguments)
    try:
        show(resolve_address(given.uri, Path.cwd()), given.port)
    except FrostlineError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def show(address: Address, port: int) -> None:
    """Run MLflow's server, for this machine only, until SIGINT or SIGTERM.

    Args:
        address: The store.
        port: Port on 127.0.0.1, which other machines cannot reach.

    Raises:
        TrackingError: If the port is taken, the store cannot be opened, or the server fails.
    """
    if address.kind == "server":
        print(f"This store is an MLflow server already: open {address.shown}")
        return
    check_port(port)
    links = run_links(Connection(address), port)
    print(
        f"MLflow shows {address.shown} at http://{HOST}:{port} in a few seconds (Ctrl-C ends it)",
        *links,
        sep="\n",
        flush=True,
    )
    # In a session of its own, so that Ctrl-C reaches only this process, which then terminates the
    # server: on Ctrl-C, MLflow's server would print a traceback.
    server = subprocess.Popen(
        server_command(address, port),
        env=os.environ | _SERVER_ENVIRONMENT | {"MLFLOW_BACKEND_STORE_URI": address.uri},
        start_new_session=True,
    )
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    signal.signal(signal.SIGINT, lambda *_: server.terminate())
    code = server.wait()
    if code not in {0, -signal.SIGTERM}:
        raise TrackingError(f"MLflow's server ended with code {code}", todo="read its output above")


def run_links(connection: Connection, port: int) -> list[str]:
    """Links straight to the runs of each experiment that has some, the newest first.

    MLflow's own first page asks for a view, and may show one that has no runs.
    """
    client = connection.client
    experiments = [
        one
        for one in client.search_experiments(order_by=["last_update_time DESC"])
        if client.search_runs([one.experiment_id], max_results=1)
    ]
    links = []
    for one in experiments[:MAX_LINKS]:
        runs = f"http://{HOST}:{port}/#/experiments/{one.experiment_id}/runs"
        links.append(f"  {one.name}: {runs}?{_VIEW}")
        if client.search_runs([one.experiment_id], f"tags.`{KIND_TAG}` = '{CELL}'", max_results=1):
            links.append(f"    which depth, over all seeds: {runs}?{_CELLS}")
    return links


def server_command(address: Address, port: int) -> list[str]:
    """The command that serves a store on this machine only.

    The store itself is given in `MLFLOW_BACKEND_STORE_URI`, because everybody can read passwords in
    the list of processes.
    """
    root = []
    if address.artifact_root is not None:
        root = ["--default-artifact-root", address.artifact_root.as_uri()]
    return [
        sys.executable,
        *("-m", "mlflow", "server"),
        *root,
        *("--host", HOST, "--port", str(port), "--workers", "1"),
        *("--uvicorn-opts", "--log-level warning"),
    ]


def check_port(port: int) -> None:
    """Check that a port of this machine is free.

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
                todo=f"--port {free_port()}"
                + (f", or make ui PORT={free_port()}" if in_checkout() else ""),
            ) from error


def free_port() -> int:
    """A port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])

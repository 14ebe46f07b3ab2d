"""One run on several processes (`trainer=ddp`): this process is the first, the others follow it.

Lightning would start the others by running the command again, which a job of a sweep is not. Here
they are warm processes that carry out the same pipeline; only the first has a record in MLflow.
"""

import os
import signal
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from src.config.schema import Settings
from src.errors import FrostlineError
from src.sweep.share import own_cores
from src.sweep.workers import Failure, exit_with_parent, warm_context

if TYPE_CHECKING:
    from src.tracking.run import Run

END_WAIT_S = 60


class PeerFailedError(FrostlineError):
    """One of the other processes of a distributed run failed."""


class SilentRun:
    """Stands in for the record in MLflow, which the first process alone writes."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Nothing."""

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Nothing."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Nothing."""

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Nothing."""

    def log_text(self, text: str, path: str) -> None:
        """Nothing."""

    def log_dict(self, values: Mapping[str, Any], path: str) -> None:
        """Nothing."""


def run_with_peers(
    settings: Settings, folder: Path, work: Path, tracked: "Run", tell: Callable[..., None]
) -> dict[str, float]:
    """Carry out the pipeline, on as many processes as `trainer=ddp` asks for.

    Returns:
        What `src.train.run` returns, of the first process.

    Raises:
        PeerFailedError: If another process failed; its error is told.
    """
    from src.train import run

    if settings.trainer.strategy != "ddp" or settings.trainer.devices == 1:
        return run(settings, folder, work, tracked, tell)
    settings = _with_threads(settings)
    with _peers(settings, work) as others, _environment(_rank(0, settings, others.port)):
        try:
            figures = run(settings, folder, work, tracked, tell)
        except Exception as error:
            failure = others.first(wait_s=5)
            if failure is None:
                raise
            number, told = failure
            raise PeerFailedError(f"process {number} of the run: {told.reason}") from error
        finally:
            _leave_group()
        others.wait()
    return figures


def _with_threads(settings: Settings) -> Settings:
    """Divide the cores among the processes, where nothing else is asked for."""
    if settings.trainer.threads is not None:
        return settings
    threads = max(1, own_cores() // settings.trainer.devices)
    trainer = settings.trainer.model_copy(update={"threads": threads})
    return settings.model_copy(update={"trainer": trainer})


class _Peers:
    """The other processes, and what they said.

    Args:
        port: Where the first process waits for the others.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.processes: list[tuple[Any, Connection]] = []

    def first(self, wait_s: float) -> tuple[int, Failure] | None:
        """The first failure that is known, with the process's number."""
        for number, (_, ours) in enumerate(self.processes, start=1):
            with suppress(EOFError, OSError):
                if ours.poll(wait_s):
                    said = ours.recv()
                    if isinstance(said, Failure):
                        return number, said
        return None

    def wait(self) -> None:
        """Wait until all have ended: they read checkpoints that are removed afterwards."""
        for process, _ in self.processes:
            process.join(END_WAIT_S)

    def kill(self) -> None:
        """End those that still run."""
        for process, ours in self.processes:
            if process.is_alive():
                process.kill()
            process.join()
            ours.close()


@contextmanager
def _peers(settings: Settings, work: Path) -> Iterator[_Peers]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        peers = _Peers(probe.getsockname()[1])
    context = warm_context()
    try:
        for number in range(1, settings.trainer.devices):
            ours, theirs = context.Pipe(duplex=False)
            env = _rank(number, settings, peers.port)
            process = context.Process(target=_follow, args=(theirs, settings, work, env))
            process.start()
            theirs.close()
            peers.processes.append((process, ours))
        yield peers
    finally:
        peers.kill()


def _rank(number: int, settings: Settings, port: int) -> dict[str, str]:
    """What tells Lightning that its processes are there already, and which of them this is."""
    return {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(settings.trainer.devices),
        "NODE_RANK": "0",
        "LOCAL_RANK": str(number),
    }


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _leave_group() -> None:
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _follow(theirs: Connection, settings: Settings, work: Path, env: Mapping[str, str]) -> None:
    """One of the other processes; the first one decides when to stop."""
    from src.train import run

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    exit_with_parent()
    os.environ.update(env)
    silent: Any = SilentRun()
    said: Failure | None = None
    try:
        with TemporaryDirectory(prefix="frostline-rank-") as folder:
            run(settings, Path(folder), work, silent, tell=lambda **_: None)
    except BaseException as error:
        said = Failure(f"{type(error).__name__}: {error}", traceback.format_exc(), None)
    with suppress(OSError):
        theirs.send(said)
    theirs.close()
    _leave_group()

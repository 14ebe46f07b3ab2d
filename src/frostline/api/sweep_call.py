"""`frostline.sweep(...)`: the command `train -m` in a process of its own, and what it ended with.

The command is the same, so validation, digests, runs and what a second call reuses are the same.
A notebook keeps its own signal handlers, and its kernel cannot be taken down by a job.
"""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from frostline.api.hydra_words import words_of
from frostline.api.sweep_result import Sweep
from frostline.errors import FrostlineError
from frostline.invocation import MODULE, VARIABLE
from frostline.sweeps.farewell import FILE

_FOLDER = Path("multirun") / "python"
# A child in the same group has got the signal already, and first saves what it has.
_PATIENCE_S = 1.0
_KEPT_LINES = 40
# Jupyter and CI set them, and what reads lines through a pipe would get a bar drawn over itself.
_TERMINAL = ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


def sweep(
    *overrides: str,
    progress: Callable[[str], object] | None = print,
    **settings: Any,
) -> Sweep:
    """Run a sweep, or what is missing of it, as `python -m src.train -m` does.

        frostline.sweep(data="photos", backbone=["resnet50", "vgg16"], freeze=[0, 2, 4])

    Args:
        overrides: Words as in the command, such as `+experiments=photographs`.
        progress: Receives each line of progress; None for silence.
        settings: Keys of conf/ with their values. A list is swept over; a tuple is one value. A
            path as `data` means the folder, table or archive there. `data__n_images` stands for
            `data.n_images`.

    Returns:
        The sweep, jobs that failed among its rows.

    Raises:
        FrostlineError: If the sweep could not start: what was given, what is allowed, what to do.
        KeyboardInterrupt: If it was interrupted; the same call goes on where it was.
    """
    words = [*overrides, *words_of(settings)]
    folder = _FOLDER / uuid.uuid4().hex[:8]
    command = [
        sys.executable,
        "-m",
        "frostline",
        "train",
        "-m",
        *words,
        f"hydra.sweep.dir={folder}",
    ]
    said = _run(command, progress or (lambda _: None))
    ended = sorted(folder.parent.glob(f"{folder.name}*/{FILE}"))
    if not ended:
        raise FrostlineError(_message(said))
    outcome = json.loads(ended[0].read_text(encoding="utf-8"))
    uri = next(
        (w.removeprefix("tracking.uri=") for w in words if w.startswith("tracking.uri=")), None
    )
    return Sweep(
        sweep_id=outcome["sweep_id"],
        jobs=outcome["jobs"],
        folder=ended[0].parent,
        uri=uri.strip("'") if uri else None,
    )


def _run(command: Sequence[str], progress: Callable[[str], object]) -> list[str]:
    """Run it to its end; its last lines."""
    env = os.environ | {VARIABLE: MODULE, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    for name in _TERMINAL:
        env.pop(name, None)
    said: list[str] = []
    with subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                said = [*said, line.rstrip()][-_KEPT_LINES:]
                progress(line.rstrip())
        except BaseException:
            _stop(child)
            raise
    return said


def _stop(child: "subprocess.Popen[str]") -> None:
    """Ask the command to end as Ctrl-C does, and wait until it has saved what it has."""
    ends = time.monotonic() + _PATIENCE_S
    while child.poll() is None and time.monotonic() < ends:
        time.sleep(0.05)
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
    child.communicate()


def _message(said: Sequence[str]) -> str:
    """What the command said of its error, from the line on at which that begins."""
    starts = [place for place, line in enumerate(said) if line.startswith("error: ")]
    if not starts:
        return "\n".join(["the sweep ended before its first job", *said[-10:]])
    return "\n".join(said[starts[0] :]).removeprefix("error: ")

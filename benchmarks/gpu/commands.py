"""Frostline's commands as people give them, each a process of its own, and the runs they leave."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu.checks import Checks, ending
from benchmarks.gpu.jobs_here import EXPERIMENT, Place, sizes

TIMEOUT_S = 400
NO_CARD = {"CUDA_VISIBLE_DEVICES": ""}


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def details(self) -> dict[str, Any]:
        """For a check: seconds, and what it said if it failed."""
        said = {} if self.code == 0 else {"code": self.code, "said": ending(self.err)}
        return {"seconds": round(self.seconds, 1), **said}


def command(words: list[str], folder: Path, env: Mapping[str, str] | None = None) -> Said:
    """Give a command, such as `["train", "-m", ...]`."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "frostline", *words],
        capture_output=True, text=True, timeout=TIMEOUT_S, cwd=folder,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr, time.perf_counter() - begun)


def train(found: Checks, place: Place, *overrides: str, sweep: bool = True) -> Said:
    """`frostline train -m` on the built-in data; what is given last counts."""
    words = {word.split("=")[0]: word for word in [*sizes(found), "report=false", *overrides]}
    uri = f"tracking.uri={place.uri}"
    return command(["train", *(["-m"] if sweep else []), *words.values(), uri], place.folder)


def runs_of(place: Place) -> list[Any]:
    """The runs of all jobs, the newest first."""
    from frostline.tracking.store import open_store

    return open_store(place.uri, EXPERIMENT).find_runs({"frostline.kind": "job"})

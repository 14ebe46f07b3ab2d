"""How jobs that run side by side share a machine: CPU threads divided, one GPU each."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.locks import OwnerLock

_POLL_S = 0.2
_GPUS_OF_THE_SYSTEM = Path("/proc/driver/nvidia/gpus")
_TOOL_OF_WSL = "/usr/lib/wsl/lib/nvidia-smi"
_TOOL_S = 10


@dataclass(frozen=True)
class Share:
    """What a launcher's jobs may take.

    Attributes:
        threads: CPU threads of one job; None for all.
        slots: How many jobs may compute at once; None where the launcher itself sees to it.
        elsewhere: Whether other machines may carry the jobs out, with devices of their own.
    """

    threads: int | None
    slots: int | None
    elsewhere: bool = False


def share_of(launcher: Mapping[str, Any], *, jobs: int, cores: int, gpus: int) -> Share:
    """The share of each job under one of Hydra's launchers.

    Args:
        launcher: The node `hydra.launcher`.
        jobs: How many jobs there are to run.
        cores: CPU cores that this process may use.
        gpus: GPUs that this process may use.
    """
    target = str(launcher.get("_target_", "")).rpartition(".")[2]
    match target:
        case "JoblibLauncher":
            wanted = int(launcher.get("n_jobs") or 1)
            at_once = max(1, min(jobs, gpus or cores, cores if wanted < 0 else wanted))
            return Share(max(1, cores // at_once), at_once)
        case "LocalLauncher":  # submitit's, which starts all its jobs at once
            each = int(launcher.get("cpus_per_task") or 1)
            at_once = max(1, min(gpus or cores, cores // each))
            return Share(each, at_once)
        case "SlurmLauncher":
            return Share(int(launcher.get("cpus_per_task") or 1), None, elsewhere=True)
        case "RayLauncher":
            remote = (launcher.get("ray") or {}).get("remote") or {}
            return Share(max(1, int(remote.get("num_cpus") or 1)), None, elsewhere=True)
        case _ if launcher.get("jobs_at_once"):
            # A user's own launcher that says how many it runs at once: see docs/plugins.md.
            threads = max(1, cores // int(launcher["jobs_at_once"]))
            return Share(threads, None, elsewhere=True)
        case "IsolatedLauncher":
            return Share(None, None)
        case _:
            return Share(None, None, elsewhere=True)


def own_cores() -> int:
    """CPU cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def own_gpus() -> list[str]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them.

    They are counted without CUDA, which must not be touched before a fork.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name.strip() not in {"", "-1"}]
    if not _GPUS_OF_THE_SYSTEM.is_dir():
        return listed_by_driver()
    return [str(index) for index, _ in enumerate(_GPUS_OF_THE_SYSTEM.iterdir())]


def listed_by_driver() -> list[str]:
    """Numbers of the GPUs that NVIDIA's own tool lists: WSL2 has it, and no /proc/driver/nvidia."""
    tool = shutil.which("nvidia-smi") or shutil.which(_TOOL_OF_WSL)
    if tool is None:
        return []
    try:
        listed = subprocess.run(
            [tool, "--list-gpus"], capture_output=True, text=True, timeout=_TOOL_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []  # it is there without a card or a driver, too
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(index) for index, _ in enumerate(lines)]


@contextmanager
def slot(folder: Path, slots: int | None) -> Iterator[dict[str, str]]:
    """Wait for a place among the jobs that compute at once.

    Args:
        folder: The sweep's folder, in which the places are kept.
        slots: How many there are; None for no limit.

    Yields:
        Environment variables for the job: its GPU, where there are several.
    """
    if slots is None:
        yield {}
        return
    locks = [OwnerLock(folder / "slots" / f"{number}.lock") for number in range(slots)]
    taken: int | None = None
    while taken is None:
        taken = next((n for n, lock in enumerate(locks) if lock.try_acquire()), None)
        if taken is None:
            time.sleep(_POLL_S)
    gpus = own_gpus()
    try:
        yield {"CUDA_VISIBLE_DEVICES": gpus[taken % len(gpus)]} if len(gpus) > 1 else {}
    finally:
        locks[taken].release(remove=False)

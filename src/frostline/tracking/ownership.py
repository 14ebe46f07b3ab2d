"""Which process owns a run: its tags and its lock files."""

import getpass
import os
import socket
from pathlib import Path

import psutil


def owner_tags() -> dict[str, str]:
    """The tags that name this process as a run's owner."""
    return {
        "frostline.host": socket.gethostname(),
        "frostline.pid": str(os.getpid()),
        "frostline.pid_since_s": f"{psutil.Process().create_time():.2f}",
    }


def user_name() -> str:
    """The user's name on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def run_lock_path(locks_dir: Path, name: str) -> Path:
    """The lock file that a run's owner holds while the run lives."""
    return locks_dir / f"run-{name}.lock"


def claim_lock_path(locks_dir: Path, key: str) -> Path:
    """The lock file of a claim, such as that of a job's digest.

    Raises:
        ValueError: If the key is no plain name.
    """
    if not key or "/" in key:
        raise ValueError(f"a claim's key is a plain name, not {key!r}")
    return locks_dir / f"claim-{key}.lock"

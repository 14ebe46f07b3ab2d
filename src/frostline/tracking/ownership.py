"""Which process owns a run: its tags and its lock files.

A process id alone says little: it is given out again, each container counts its own, and containers
may share a host name. A process is known by four things together: the boot of its machine, its
namespace of process ids, its id there, and when it began in ticks since that boot, which no step
of a clock changes.
"""

import getpass
import os
import socket
from collections.abc import Mapping
from pathlib import Path

_PROC = Path("/proc")
# The namespace of a machine itself, the same number everywhere: PROC_PID_INIT_INO in Linux.
_MACHINE_NAMESPACE = "pid:[4026531836]"
_START_TICKS_FIELD = 22  # of /proc/PID/stat, counted from 1: see proc(5)


def owner_tags() -> dict[str, str]:
    """The tags that name this process as a run's owner."""
    pid = os.getpid()
    return {
        "frostline.host": socket.gethostname(),
        "frostline.pid": str(pid),
        "frostline.boot": boot_id(),
        "frostline.pid_namespace": pid_namespace(),
        "frostline.pid_ticks": start_ticks(pid) or "",
    }


def is_surely_dead(tags: Mapping[str, str]) -> bool:
    """Whether the process that a run's tags name has surely ended.

    False wherever it cannot be seen from here: on another machine, in another container, on a
    system without /proc, or by a version that did not write down enough.

    Args:
        tags: A run's, with those of `owner_tags`.
    """
    boot, namespace = tags.get("frostline.boot", ""), tags.get("frostline.pid_namespace", "")
    if not boot or not namespace or tags.get("frostline.host") != socket.gethostname():
        return False
    if boot != boot_id():
        # A machine of that name that counts its processes itself has been started again since.
        return bool(boot_id()) and namespace == pid_namespace() == _MACHINE_NAMESPACE
    if namespace != pid_namespace():
        return False
    try:
        ticks = start_ticks(int(tags["frostline.pid"]))
    except (KeyError, ValueError):
        return False
    return ticks is None or ticks != tags.get("frostline.pid_ticks")


def boot_id() -> str:
    """An id of this boot of the machine; empty on a system that has none."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def pid_namespace() -> str:
    """The namespace in which this process has its id; empty on a system that has none."""
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def start_ticks(pid: int) -> str | None:
    """When a process began, in clock ticks since the boot; None if there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The second field is the program's name in brackets, and may contain anything.
    after_name = text.rpartition(")")[2].split()
    # A zombie has ended, though nobody has asked for its exit code yet.
    return None if after_name[0] in {"Z", "X"} else after_name[_START_TICKS_FIELD - 3]


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

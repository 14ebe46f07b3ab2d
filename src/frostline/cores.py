"""The machine's cores: how many this process may use, and how waiting threads give them up."""

import os

_SPINS = "10000"  # about 20 microseconds
_USER_SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def usable_cores() -> int:
    """The number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)


def share_cores() -> None:
    """Let waiting threads sleep soon, here and in processes started from here.

    GNU OpenMP, which PyTorch computes with on Linux, lets a thread that has finished its part spin
    for milliseconds. On a machine with other work, the spinning thread takes the core from the very
    thread that it waits for, in every operation, and one busy neighbour makes a training step
    several times slower. A short wait costs an idle machine next to nothing.

    The setting is read when OpenMP is loaded, so call this before PyTorch is imported. It does
    nothing where the user has set one of OpenMP's own variables.

    Source: GNU Offloading and Multi Processing Project, GOMP_SPINCOUNT.
    """
    if not any(name in os.environ for name in _USER_SETTINGS):
        os.environ["GOMP_SPINCOUNT"] = _SPINS

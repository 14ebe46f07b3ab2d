"""How threads that share a computation wait for each other: shortly awake, then asleep.

GNU OpenMP, which PyTorch computes with on Linux, lets a thread that has finished its part spin for
milliseconds. On a machine with other work that keeps the core from the very thread that is waited
for, in every operation, and one busy neighbour makes a training step several times slower. A short
wait costs an idle machine next to nothing.
"""

import os

_SPINS = "10000"  # about 20 microseconds
_DECIDED_BY = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def share_cores() -> None:
    """Let waiting threads sleep soon, here and in processes started from here.

    It counts for an OpenMP that is not loaded yet, so call it before PyTorch is imported. Whoever
    has set one of OpenMP's own variables has decided for themselves.

    Source: GNU Offloading and Multi Processing Project, GOMP_SPINCOUNT.
    """
    if not any(name in os.environ for name in _DECIDED_BY):
        os.environ["GOMP_SPINCOUNT"] = _SPINS

"""Seconds that a process has run for, without those for which it was stopped.

SIGSTOP, Ctrl-Z or a batch system that suspends jobs may hold a process for hours, which are no cost
of what it trains. Neither the process nor its clock notices; but whoever is to go on gets a signal.
"""

import signal
import threading
import time

_POLL_S = 0.5
_stopped_s = [0.0]


def running_s() -> float:
    """Seconds on a clock that stands still while this process is stopped, as far as that is known.

    Differences alone have a meaning. Before `watch_for_stops` it is the usual monotonic clock; a
    stop is known half a second after its end, and to half a second.
    """
    return time.monotonic() - _stopped_s[0]


def watch_for_stops() -> None:
    """Take stops of this process out of `running_s` from now on.

    To be called in the main thread before others begin: the signal by which a process goes on is
    kept from all threads but the one that waits for it.
    """
    if not hasattr(signal, "sigtimedwait"):  # macOS
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT})
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    seen_s = time.monotonic()
    while True:
        continued = signal.sigtimedwait({signal.SIGCONT}, _POLL_S)
        now_s = time.monotonic()
        # Without that signal a long wait is no stop, but a busy machine.
        if continued is not None:
            _stopped_s[0] += now_s - seen_s
        seen_s = now_s

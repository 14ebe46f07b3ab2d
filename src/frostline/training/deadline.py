"""Whether a budget in time is spent."""

import time

from frostline.errors import DeadlineError


def is_past(deadline_s: float | None, *, needs_s: float = 0.0) -> bool:
    """Whether less is left than what is needed.

    Args:
        deadline_s: Seconds since 1970; None for no limit.
        needs_s: What must be left, seconds.
    """
    return deadline_s is not None and time.time() + needs_s > deadline_s


def check_deadline(deadline_s: float | None, *, needs_s: float = 0.0) -> None:
    """Compare the time with a deadline.

    Args:
        deadline_s: As for `is_past`.
        needs_s: As there.

    Raises:
        DeadlineError: If it has passed, or too little is left.
    """
    if is_past(deadline_s, needs_s=needs_s):
        raise DeadlineError

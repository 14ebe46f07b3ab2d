"""Errors the user can fix: what was given, what is allowed, what to do."""

from frostline.invocation import as_called
from frostline.redact import redacted


class FrostlineError(Exception):
    """An error the user can fix, shown without a traceback and without secrets.

    Args:
        given: What was given and why it cannot be used, in one or more lines.
        allowed: What would have been accepted; empty if `given` makes it clear.
        todo: What to do next; empty if `allowed` makes it clear.
    """

    def __init__(self, given: str, allowed: str = "", todo: str = "") -> None:
        given, allowed, todo = redacted(given), redacted(allowed), redacted(todo)
        super().__init__(given, allowed, todo)
        self.given = given
        self.allowed = allowed
        self.todo = todo

    def __str__(self) -> str:
        lines = [self.given]
        if self.allowed:
            lines.append(f"  allowed: {self.allowed}")
        if self.todo:
            lines.append(f"  do:      {self.todo}")
        return as_called("\n".join(lines))


class DeadlineError(Exception):
    """The budget of the command is spent; a run's last whole epoch is kept, to go on from."""


class ConfigError(FrostlineError):
    """A key, a value or a combination of values that cannot be run."""


class DataError(FrostlineError):
    """A data set that cannot be read, split or trusted."""


class DataChangedError(DataError):
    """Data, splits or weights that are no longer what they were when they were read or planned.

    It ends a whole sweep: the jobs that are left were planned for the same inputs.
    """


class BackboneError(FrostlineError):
    """An unknown backbone, a depth that it does not have, or a model that cannot be divided."""


class WeightsError(FrostlineError):
    """Pretrained weights that cannot be found or do not fit."""


class TrackingError(FrostlineError):
    """A tracking store that cannot be reached or read."""

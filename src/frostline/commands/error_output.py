"""How a command ends at an error that the user can fix: one message and an exit code."""

import errno
import os
import signal
import sys

from frostline.errors import ConfigError, FrostlineError
from frostline.redact import redacted

BAD_INPUT_EXIT_CODE = 2
_NOT_WRITABLE = {errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR}


def print_error(error: Exception) -> int:
    """Print an error that the user can fix; what Hydra and OmegaConf raise is explained.

    Returns:
        The exit code for it.
    """
    from frostline.config.hydra_errors import explain_hydra_error

    explained = error if isinstance(error, FrostlineError) else explain_hydra_error(error)
    print(f"error: {redacted(str(explained))}", file=sys.stderr)
    return BAD_INPUT_EXIT_CODE


def not_writable(error: OSError) -> ConfigError | None:
    """What to do about a place that cannot be written to; None for another failure."""
    if error.errno not in _NOT_WRITABLE:
        return None
    return ConfigError(
        f"{error.filename or 'a file'}: {error.strerror}",
        todo="stand where you may write and where there is room, or choose others: "
        "hydra.run.dir=DIR, tracking.uri=sqlite:///PATH.db, and in the environment "
        "FROSTLINE_HOME, FROSTLINE_CACHE",
    )


def leave_closed_pipe() -> int:
    """End the output after its reader has closed the pipe (`| head`).

    Returns:
        The exit code that a shell gives for it.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE

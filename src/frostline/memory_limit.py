"""A library that does not fit under `ulimit -v`: said as what it is.

The loader's own message, "failed to map segment from shared object", names neither the limit nor
that there is one.
"""

import resource
import traceback

from frostline.errors import FrostlineError

# PyTorch with its CUDA libraries, measured with `ulimit -v`: 3 GB fail, 5 GB do.
LIBRARIES_GB = 5
_SIGNS = ("failed to map segment", "cannot allocate memory", "cannot apply additional memory")
_IMPORTER = "<frozen importlib"


class MemoryLimitError(FrostlineError):
    """The address space of this process is limited to less than the libraries take."""


def memory_limit_error(error: BaseException) -> MemoryLimitError | None:
    """What to do about a library that could not be loaded because addresses are limited.

    Args:
        error: Anything raised, with its traceback.

    Returns:
        None for any other error, or where nothing is limited.
    """
    limit_bytes, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit_bytes == resource.RLIM_INFINITY or not _is_of_loading(error):
        return None
    return MemoryLimitError(
        f"the address space of this process is limited to {limit_bytes / 1e9:.1f} GB (ulimit -v), "
        f"in which a library cannot be loaded: {error}",
        f"about {LIBRARIES_GB} GB and more, or no limit",
        "ulimit -v unlimited; to limit the memory that is really used: "
        "systemd-run --scope -p MemoryMax=8G COMMAND, or Slurm's --mem",
    )


def _is_of_loading(error: BaseException) -> bool:
    if isinstance(error, ImportError):
        return any(sign in str(error).lower() for sign in _SIGNS)
    return isinstance(error, MemoryError) and any(
        frame.filename.startswith(_IMPORTER) for frame in traceback.extract_tb(error.__traceback__)
    )

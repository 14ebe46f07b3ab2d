"""Keep freed memory in the process, so that the next step need not ask the system for it again.

glibc hands every large block back to the system when it is freed. A training step on the CPU frees
all of its activations, and asks for as much again a moment later: the kernel then clears each page
anew, which can take as long as the arithmetic. Nothing here changes a number.
"""

import ctypes
import sys
from functools import cache

# From glibc's <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_NEVER = 2**31 - 1


@cache
def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, up to its peak; once is enough.

    The price is a somewhat higher peak, since blocks are no longer returned singly.

    Returns:
        Whether the C library can do that: glibc, on Linux.

    Source: mallopt(3), M_MMAP_MAX and M_TRIM_THRESHOLD.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):  # musl has a mallopt that does nothing
        return False
    no_single_blocks = library.mallopt(_M_MMAP_MAX, 0)
    no_giving_back = library.mallopt(_M_TRIM_THRESHOLD, _NEVER)
    return bool(no_single_blocks and no_giving_back)

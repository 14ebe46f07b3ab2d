"""A cache that all processes of a sweep share, for facts about its backbones' code.

In which order a model uses its parts and where it can be cut follows from its code, its name and
the size of its images. Every job of a sweep would find the same again, which takes a second. The
cache is a private folder that exists only as long as the sweep's command runs, so its entries are
never out of date. Without such a folder everything is computed anew.
"""

import contextlib
import hashlib
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from pickle import PicklingError
from typing import TypeVar

from frostline.files import replacing
from frostline.scratch import ScratchFolder

T = TypeVar("T")
_FOLDER_VARIABLE = "FROSTLINE_NOTES"


@contextlib.contextmanager
def shared_cache() -> Iterator[None]:
    """Share a cache with all processes that are started in this block; delete it at the end."""
    # Private by construction (mode 0700): what is read from there is trusted.
    with ScratchFolder("notes") as folder:
        before = os.environ.get(_FOLDER_VARIABLE)
        os.environ[_FOLDER_VARIABLE] = str(folder)
        try:
            yield
        finally:
            if before is None:
                del os.environ[_FOLDER_VARIABLE]
            else:
                os.environ[_FOLDER_VARIABLE] = before


def cached(key: str, compute: Callable[[], T]) -> T:
    """Read a value from the shared cache, or compute and store it.

    Args:
        key: Everything that the value depends on, in one text.
        compute: Computes the value. What it raises is not stored.

    Returns:
        The value; each caller gets a copy of its own.
    """
    folder = os.environ.get(_FOLDER_VARIABLE)
    if folder is None:
        return compute()
    file = Path(folder) / hashlib.sha256(key.encode()).hexdigest()
    with contextlib.suppress(OSError):
        stored: T = pickle.loads(file.read_bytes())
        return stored
    value = compute()
    # A model's code may hold what cannot be pickled; then the value is just not cached.
    with contextlib.suppress(OSError, AttributeError, TypeError, RecursionError, PicklingError):
        content = pickle.dumps(value)
        with replacing(file) as temporary:
            temporary.write_bytes(content)
    return value

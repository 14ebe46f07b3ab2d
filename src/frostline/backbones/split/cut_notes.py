"""What a sweep finds out about its backbones' code is noted once, for all of its processes.

In which order a model uses its parts and where it can be cut follows from its code, its name and
the size of its images; every job of a sweep would find the same again, which takes a second. The
notes live in a private folder as long as the sweep's command does, so they can never be out of
date, and without such a folder everything is found out anew.
"""

import contextlib
import hashlib
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from pickle import PicklingError
from typing import TypeVar

from frostline.files import replacing

T = TypeVar("T")
_FOLDER = "FROSTLINE_NOTES"


@contextlib.contextmanager
def shared_notes() -> Iterator[None]:
    """Share notes with all processes that are started while the block runs, and drop them then."""
    # Private by construction (mode 0700): what is read from there is trusted.
    folder = tempfile.mkdtemp(prefix="frostline-notes-")
    before = os.environ.get(_FOLDER)
    os.environ[_FOLDER] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ[_FOLDER]
        else:
            os.environ[_FOLDER] = before
        shutil.rmtree(folder, ignore_errors=True)


def noted(question: str, answer: Callable[[], T]) -> T:
    """Look a question up in the shared notes, or answer it and note that.

    Args:
        question: Everything that the answer depends on, in one text.
        answer: Finds the answer. What it raises is not noted.

    Returns:
        The answer; each caller has one of its own.
    """
    folder = os.environ.get(_FOLDER)
    if folder is None:
        return answer()
    note = Path(folder) / hashlib.sha256(question.encode()).hexdigest()
    with contextlib.suppress(OSError):
        found: T = pickle.loads(note.read_bytes())
        return found
    value = answer()
    # A model's code may hold what cannot be pickled; a note that cannot be kept is no loss.
    with contextlib.suppress(OSError, AttributeError, TypeError, RecursionError, PicklingError):
        content = pickle.dumps(value)
        with replacing(note) as temporary:
            temporary.write_bytes(content)
    return value

"""Words, names and output in a locale that does not have all of their characters.

In the C locale Python reads file names and words as UTF-8 by itself, unless `PYTHONUTF8=0` forbids
it. A name such as `photos/bäume` would then be halves of characters that neither a database nor a
page takes.
"""

import codecs
import os
import sys
from io import TextIOWrapper

_VARIABLE = "PYTHONUTF8"


def prepare_encoding() -> None:
    """Read names as UTF-8 where the locale knows ASCII alone; print what it lacks as escapes.

    For the first: start this command again in Python's UTF-8 mode, as the same process.
    """
    is_ascii = codecs.lookup(sys.getfilesystemencoding()).name == "ascii"
    # Set already, it is ignored, as with `python -E`: there is no such mode to be had.
    if is_ascii and os.environ.get(_VARIABLE) != "1":
        os.environ[_VARIABLE] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")

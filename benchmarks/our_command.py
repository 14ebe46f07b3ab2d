"""Frostline's command in this process, as a person gives it."""

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest import mock


def give(folder: Path, words: Sequence[str]) -> None:
    """`python -m src.train` in this process, whose fork server is warm and stays so.

    Args:
        folder: Where it is given.
        words: What follows.

    Raises:
        RuntimeError: If it failed.
    """
    from frostline.commands.train import main

    before, said = (sys.argv, Path.cwd()), io.StringIO()
    os.chdir(folder)
    sys.argv = ["train.py", *words]
    try:
        with (
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            mock.patch("frostline.sweeps.sweeper.cool_down"),
        ):
            main()
    except SystemExit as ended:
        if ended.code:
            raise RuntimeError(said.getvalue()[-4000:]) from None
    finally:
        sys.argv = before[0]
        os.chdir(before[1])

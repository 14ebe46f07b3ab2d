"""What the commands share: the words that several of them take, and how a mistake ends them."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from frostline.commands.error_output import BAD_INPUT_EXIT_CODE, leave_closed_pipe
from frostline.errors import FrostlineError

if TYPE_CHECKING:
    from frostline.inference.rebuild import Rebuilt


def command_parser(module: str, page: str | None) -> argparse.ArgumentParser:
    """The parser of `python -m MODULE`; its page of help stays as it was laid out."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=page,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """RUN: which trained run is meant."""
    parser.add_argument("run", metavar="RUN", help="id, name, best:SWEEP or a checkpoint's path")


def count(text: str) -> int:
    """A number of things as a word of the command line.

    Raises:
        argparse.ArgumentTypeError: If there would be none.
    """
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: 1 or more")
    return value


def add_threads(parser: argparse.ArgumentParser) -> None:
    """`--threads`: how many threads of the CPU are used."""
    parser.add_argument("--threads", type=count, help="CPU threads; default: one for each core")


def add_store(parser: argparse.ArgumentParser) -> None:
    """`--uri`: where runs are recorded."""
    parser.add_argument("--uri", help="the tracking store; default: as for src.train")


def run_given(given: argparse.Namespace) -> "Rebuilt":
    """The network of RUN, on the threads and from the store that were asked for."""
    from frostline.inference.rebuild import rebuild_run
    from frostline.tracking.store import open_store
    from frostline.training.engine import prepare_process

    prepare_process(given.threads)
    return rebuild_run(lambda: open_store(given.uri, "Default"), given.run)


@contextmanager
def reported_errors() -> Iterator[None]:
    """End the command at a mistake in its input: its message, the exit code for bad input.

    A file that cannot be read or written is such a mistake; a reader that has gone is none.
    """
    try:
        yield
    except FrostlineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT_EXIT_CODE)
    except BrokenPipeError:
        sys.exit(leave_closed_pipe())
    except OSError as error:
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(BAD_INPUT_EXIT_CODE)

"""Arguments that several commands share, and how errors the user can fix end a command."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from frostline.commands.error_output import BAD_INPUT_EXIT_CODE, leave_closed_pipe
from frostline.errors import FrostlineError
from frostline.files import NO_ROOM
from frostline.invocation import as_called
from frostline.memory_limit import memory_limit_error

if TYPE_CHECKING:
    from frostline.inference.rebuild import Rebuilt
    from frostline.tracking.reader import Reader
    from frostline.tracking.records import RunRecord


def command_parser(module: str, page: str | None) -> argparse.ArgumentParser:
    """Make the parser of `python -m MODULE`; its help text keeps its line breaks."""
    return argparse.ArgumentParser(
        prog=as_called(f"python -m {module}"),
        description=as_called(page or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_run(parser: argparse.ArgumentParser, *, default: str | None = None) -> None:
    """Add RUN: a trained run, which may be left out if there is a default."""
    which = "id, name, best:SWEEP (best:latest: the newest) or a checkpoint's path"
    if default is None:
        parser.add_argument("run", metavar="RUN", help=which)
    else:
        parser.add_argument(
            "run", metavar="RUN", nargs="?", default=default, help=f"{which}; default: {default}"
        )


def count(text: str) -> int:
    """Parse a positive whole number.

    Raises:
        argparse.ArgumentTypeError: If it is below 1.
    """
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: 1 or more")
    return value


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add `--threads`: number of CPU threads."""
    parser.add_argument("--threads", type=count, help="CPU threads; default: one for each core")


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add `--uri`: the tracking store."""
    parser.add_argument("--uri", help="the tracking store; default: as for src.train")


def say(text: str) -> None:
    """Say what is being done, at once: on the error stream, apart from the result."""
    print(text, file=sys.stderr, flush=True)


def run_given(
    given: argparse.Namespace,
    check: "Callable[[Reader, RunRecord], None]" = lambda _store, _record: None,
) -> "Rebuilt":
    """Rebuild the network of RUN, with the given threads and store.

    The run is looked up before the heavy libraries are loaded.

    Args:
        given: The arguments.
        check: Raises if the run, once found, cannot be used as it is asked for; a checkpoint given
            by its path is not checked.
    """
    say(f"looking for {given.run}")
    from frostline.tracking.lookup import find_run_of_seeds
    from frostline.tracking.restore import is_checkpoint_path
    from frostline.tracking.store import open_store

    store, run = None, given.run
    if not is_checkpoint_path(run):
        store = open_store(given.uri, "Default", make=False)
        record, n_seeds = find_run_of_seeds(store, run)
        if n_seeds > 1:
            say(
                f"{run} is one of {n_seeds} seeds, the best on validation; the report has the "
                "configuration's own figures"
            )
        run = record.run_id
        check(store, record)
        say(f"run {record.name} ({run[:8]}): loading PyTorch and its weights")
    from frostline.inference.rebuild import rebuild_run
    from frostline.training.engine import prepare_process

    prepare_process(given.threads)
    return rebuild_run(lambda: store or open_store(given.uri, "Default"), run)


@contextmanager
def reported_errors() -> Iterator[None]:
    """End the command at an error the user can fix, with its message and its exit code.

    A file that cannot be read or written is such an error; a closed pipe is not.
    """
    try:
        yield
    except FrostlineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT_EXIT_CODE)
    except (ImportError, MemoryError) as error:
        limited = memory_limit_error(error)
        if limited is None:
            raise
        print(f"error: {limited}", file=sys.stderr)
        sys.exit(BAD_INPUT_EXIT_CODE)
    except BrokenPipeError:
        sys.exit(leave_closed_pipe())
    except OSError as error:
        if error.filename is None and error.errno not in NO_ROOM:
            raise
        print(f"error: {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        if error.errno in NO_ROOM:
            print("  do:      make room, then give the same command again", file=sys.stderr)
        sys.exit(BAD_INPUT_EXIT_CODE)

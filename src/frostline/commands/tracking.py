"""Show what waits for a tracking store, and look for what is damaged in one.

Usage:

python -m src.tracking                 # what waits: for which store, for which run, how long, why
python -m src.tracking check           # that, and walk the store: damage, dead runs, wrong digests
python -m src.tracking deliver RUN     # send what waits for RUN, also what was refused or set aside
python -m src.tracking drop RUN        # give up what waits for RUN
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.commands.arguments import add_store, command_parser, reported_errors
from frostline.errors import ConfigError
from frostline.scratch import ScratchFolder

if TYPE_CHECKING:
    from frostline.tracking.address import Address
    from frostline.tracking.store import Store
    from frostline.tracking.waiting import Waiting

FOUND_EXIT_CODE = 1
_NAMES_A_RUN = ("deliver", "drop")
_AGES = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; 1 if something waits, is damaged, or could not be delivered.
    """
    parser = command_parser("src.tracking", __doc__)
    actions = ["waiting", "check", *_NAMES_A_RUN]
    parser.add_argument("action", nargs="?", choices=actions, default="waiting")
    parser.add_argument("run", nargs="?", metavar="RUN", help="id or name of a run that waits")
    add_store(parser)
    given = parser.parse_args(arguments)
    with reported_errors():
        return _run(given)


def _run(given: argparse.Namespace) -> int:
    from frostline.tracking.address import resolve_address
    from frostline.tracking.waiting import drop, find_waiting, waiting_journals

    if (given.run is not None) != (given.action in _NAMES_A_RUN):
        raise ConfigError(
            f"{given.action} {given.run or ''}".strip() + ": RUN does not fit",
            "waiting, check, deliver RUN, drop RUN",
        )
    address = resolve_address(given.uri, Path.cwd())
    if given.action == "drop":
        found = find_waiting(address, given.run)
        drop(address, found)
        print(f"dropped: {_described(address, found)}")
        return 0
    if given.action == "deliver":
        return _deliver(_open(given.uri), given.run)
    waiting = waiting_journals(address)
    if given.action == "check":
        n_found = _check(_open(given.uri))
        waiting = waiting_journals(address)  # opening the store has delivered what it could
    else:
        n_found = 0
    print(f"{len(waiting)} journals wait in {address.all_journals_dir}")
    for each in waiting:
        print(f"  {_described(address, each)}")
    return FOUND_EXIT_CODE if waiting or n_found else 0


def _open(uri: str | None) -> "Store":
    from frostline.tracking.store import open_store

    return open_store(uri, "Default", make=False)


def _deliver(store: "Store", run: str) -> int:
    from frostline.tracking.waiting import find_waiting, send_again

    found = find_waiting(store.address, run)
    left = send_again(store, found)
    if left:
        print(f"{left} entries of {found.run_id} could not be delivered", file=sys.stderr)
        return FOUND_EXIT_CODE
    print(f"delivered: {_described(store.address, found)}")
    return 0


def _check(store: "Store") -> int:
    """Print what is wrong in a store; how many things."""
    from frostline.tracking.store_check import check_store
    from frostline.training.checkpoint import load_checkpoint

    n_found = 0
    with ScratchFolder("check") as folder:
        for finding in check_store(store, check_checkpoint=load_checkpoint, into=folder):
            print(f"{finding.kind}: {finding.where}: {finding.what}")
            n_found += 1
    print(f"{n_found} findings in {store.address.shown}")
    return n_found


def _described(address: "Address", waiting: "Waiting") -> str:
    """A journal in one line."""
    run = f"{waiting.name} ({waiting.run_id})" if waiting.name else waiting.run_id
    store = "a store that it does not name" if waiting.store is None else waiting.store.place
    here = ", this store" if waiting.store and waiting.store.place == address.place else ""
    counts = [f"{waiting.entries} entries"] if waiting.entries else []
    counts += [f"{waiting.refused} refused"] if waiting.refused else []
    why = f": {waiting.reason}" if waiting.reason else ""
    aside = " (set aside)" if waiting.aside else ""
    age = _age(time.time() - waiting.since_s)
    return f"{run}: {', '.join(counts)} for {store}{here}, for {age}{aside}{why}"


def _age(seconds: float) -> str:
    for unit_s, name in _AGES:
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f} {name}"
    return "a moment"

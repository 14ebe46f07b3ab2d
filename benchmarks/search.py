"""A race against a full grid and against other searches, replayed over recorded curves.

    python -m benchmarks.search record --images DIR [--sets leaves ...] [--seeds 0 1 2]
    python -m benchmarks.search loop
    python -m benchmarks.search [--write]

`record` trains all 24 cells to their end, `loop` times a tuned loop on them, each into
benchmarks/results/search; without a word the searches are replayed over what is there. `--write`
puts the table into docs/search.md.
"""

import argparse
import json
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "search"
SEARCH = Path(__file__).parents[1] / "docs" / "search.md"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", nargs="?", choices=["record", "loop", "table"], default="table")
    parser.add_argument("--images", type=Path, default=Path("search-images"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--sets", nargs="+", help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--write", action="store_true", help="the table into docs/search.md")
    given = parser.parse_args()
    if given.what == "record":
        _record(given)
    elif given.what == "loop":
        _time_loop(given.out)
    else:
        from benchmarks.docs_tables import write_between
        from benchmarks.search_table import table

        lines = table(given.out)
        print("\n".join(lines))
        if given.write:
            write_between("search", lines, SEARCH)


def _record(given: argparse.Namespace) -> None:
    from benchmarks.search_cells import SETS, make_sets
    from benchmarks.search_record import record

    images, out = given.images.resolve(), given.out.resolve()
    make_sets(images)
    for seed in given.seeds:
        for data in given.sets or SETS:
            record(data, seed, images, out)


def _time_loop(out: Path) -> None:
    """Time the tuned loop once, with as many images as the first recording has."""
    from benchmarks.search_curves import read_curves
    from benchmarks.search_loop import loop_seconds
    from benchmarks.search_table import LOOP

    first = read_curves(out)[0]
    found = {"n_train": first.n_train, "n_val": len(first.labels)}
    cells = loop_seconds(first.n_train, len(first.labels))
    (out / LOOP).write_text(json.dumps({**found, "cells": cells}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""What a job and a sweep cost beside their training, part by part.

    python -m benchmarks.fixed                      # prints the tables
    python -m benchmarks.fixed --before COMMIT      # against another version, in turn in one call
    python -m benchmarks.fixed --write              # also into benchmarks/README.md

Medians over jobs in a warm process and over rounds; processor time is disturbed least by others.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine import machine_name

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
RESULTS = HERE / "results"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fixed", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--before", metavar="COMMIT", help="an older version, measured in turn")
    parser.add_argument("--jobs", type=int, default=5, help="jobs of each kind that count")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default="jobs,sweeps,commands", help="such as jobs,sweeps")
    parser.add_argument("--shapes", default="", help="jobs whose column begins so, such as tiny")
    parser.add_argument("--write", action="store_true", help="into benchmarks/README.md")
    parser.add_argument("--once", type=Path, metavar="FILE", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.once:
        from benchmarks.fixed_once import measure_once

        values = measure_once(chosen.only.split(","), chosen.shapes, chosen.jobs)
        chosen.once.write_text(json.dumps(values))
        return
    from benchmarks.docs_tables import write_between
    from benchmarks.fixed_table import sections_of

    with tempfile.TemporaryDirectory() as scratch:
        sources = {"after": REPOSITORY / "src"}
        if chosen.before:
            sources = {"before": _unpacked(chosen.before, Path(scratch) / "before")} | sources
        found: dict[str, list[Any]] = {version: [] for version in sources}
        for _ in range(chosen.rounds):
            for version, source in sources.items():
                found[version].append(_measured(source, chosen, Path(scratch)))
    results = {
        "machine": machine_name("cpu"),
        "before": chosen.before,
        "jobs": chosen.jobs,
        "rounds": chosen.rounds,
        "versions": {version: medians(rounds) for version, rounds in found.items()},
    }
    for name, lines in sections_of(results).items():
        print("\n".join(lines) + "\n")
        if chosen.write:
            (RESULTS / f"fixed_{name}.json").write_text(json.dumps(results, indent=1) + "\n")
            write_between(f"fixed {name}", lines, HERE / "README.md")


def _measured(source: Path, chosen: argparse.Namespace, scratch: Path) -> Any:
    """One round of one version, in a process of its own that imports it."""
    out = scratch / "once.json"
    command = [sys.executable, "-m", "benchmarks.fixed", "--once", str(out)]
    command += ["--jobs", str(chosen.jobs), "--only", chosen.only, "--shapes", chosen.shapes]
    paths = os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")])
    subprocess.run(command, cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": paths}, check=True)
    return json.loads(out.read_text())


def _unpacked(commit: str, folder: Path) -> Path:
    """The package as it was at a commit."""
    folder.mkdir()
    command = ["git", "archive", commit, "src", "conf", "pyproject.toml"]
    packed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed, check=True)
    return folder / "src"


def medians(rounds: list[Any]) -> dict[str, dict[str, list[float]]]:
    """Column to part to its two times, medians over rounds."""
    return {
        column: {
            part: [
                statistics.median(one[column][part][place] for one in rounds if part in one[column])
                for place in range(2)
            ]
            for part in {name: None for one in rounds for name in one[column]}
        }
        for column in rounds[0]
    }


if __name__ == "__main__":
    main()

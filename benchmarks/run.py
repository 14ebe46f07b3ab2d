"""Seconds for whole sweeps: Frostline, what people do (P0) and a tuned loop (P1), in one call.

Usage:
python -m benchmarks.run                        # on the CPU, 300 images x 2 epochs, < 15 min
python -m benchmarks.run --only W2,W3 --sizes 1000x5,3000x5 --minutes 120   # adds rows
python -m benchmarks.run --device cuda          # the larger sizes
python -m benchmarks.run --precision fastest    # P1 and Frostline each in what a probe finds best
python -m benchmarks.run --tiny --out DIR       # tiny nets, to try the code
python -m benchmarks.run --draw                 # table and figure anew, from what was measured

Rows that were measured here with the same versions stay; those measured again are replaced.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.jobs import Workload, cpu_workloads, cuda_workloads
from benchmarks.machine import machine_name
from benchmarks.sizes import Size, sizes_of
from benchmarks.sweep_record import commit, conditions, opened, put, write

HERE = Path(__file__).resolve().parent
CHART = "sweeps_by_size.svg"
WORKLOADS = ("W1", "W2", "W3", "W4", "W6")
DEFAULT_SIZES = {"cpu": "300x2", "cuda": "10000x10", "tiny": "150x2"}


def main() -> None:
    """The command line."""
    chosen = parsed()
    out = chosen.out or HERE
    begun = time.monotonic()
    file = out / "results" / f"{machine_name(chosen.device)}.json"
    from frostline.cores import usable_cores

    threads = chosen.threads or usable_cores()
    about = conditions(machine_name(chosen.device), chosen.device, threads, tiny=chosen.tiny)
    if chosen.draw:
        shown(out, json.loads(file.read_text()))
        return
    results, line = opened(file, about)
    if line:
        print(line, flush=True)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            measure(chosen, results, file, Path(scratch), begun)
    finally:  # a call that is stopped has measured something, too
        if results["rows"] or "W6" in results:
            shown(out, results)
    print(f"written to {file} in {time.monotonic() - begun:.0f} s")


def parsed() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["32-true", "fastest"], default="32-true")
    parser.add_argument("--sizes", type=sizes_of, help="images x epochs, such as 300x2,1000x5")
    parser.add_argument("--rounds", type=int, default=3, help="how often each system runs at most")
    parser.add_argument(
        "--minutes", type=float, default=14.8, help="nothing is repeated that would end after this"
    )
    parser.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    parser.add_argument("--only", default=",".join(WORKLOADS), help="workloads, such as W1,W3")
    parser.add_argument("--tiny", action="store_true", help="tiny nets at 64 px")
    parser.add_argument("--out", type=Path, help="write there instead of into benchmarks/")
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    chosen = parser.parse_args()
    chosen.only = chosen.only.split(",")
    unknown = [name for name in chosen.only if name not in WORKLOADS]
    if unknown:
        parser.error(
            f"--only={','.join(unknown)}: no such workload; there are {', '.join(WORKLOADS)}"
        )
    if chosen.tiny and not chosen.out:
        parser.error("--tiny measures nothing that counts: say with --out where it may write")
    kind = "tiny" if chosen.tiny else chosen.device
    chosen.sizes = chosen.sizes or sizes_of(DEFAULT_SIZES[kind])
    return chosen


@dataclass
class Sweep:
    """One row in the making.

    Attributes:
        work: What runs.
        size: On how many images.
        row: What was measured so far.
        longest_s: Of a round.
    """

    work: Workload
    size: Size
    row: dict[str, Any]
    longest_s: float = 0.0


def measure(
    chosen: argparse.Namespace, results: dict[str, Any], file: Path, scratch: Path, begun: float
) -> None:
    """Each sweep once, then again while there is time; the file is written after each.

    Args:
        chosen: The command line.
        results: Rows are put there.
        file: Where they are kept.
        scratch: An empty folder.
        begun: When the clock started (time.monotonic).
    """
    from benchmarks.systems import Systems

    image_px = 128 if chosen.device == "cpu" else 256
    systems = Systems(scratch, chosen.device, chosen.threads, image_px)
    now = {"commit": commit(), "date": date.today().isoformat()}
    if "W6" in chosen.only:
        fewest = min(chosen.sizes).images
        results["W6"] = {**now, **systems.tiny_jobs(fewest, tiny=chosen.tiny)}
        write(file, results)
        print("W6", results["W6"], flush=True)
    sweeps = planned(chosen)
    for turn in range(chosen.rounds):
        for sweep in sweeps:
            spent_s = time.monotonic() - begun
            if turn and not fits(spent_s, sweep.longest_s, 60 * chosen.minutes):
                continue
            if not turn:
                sweep.row |= now
                sweep.row["bound_s"] = systems.bound_s(sweep.work, sweep.size.images)
            turn_begun = time.monotonic()
            sweep.row["others_frac"].append(busy_frac())
            note(sweep.row, systems.round(sweep.work, sweep.size.images))
            sweep.longest_s = max(sweep.longest_s, time.monotonic() - turn_begun)
            put(results, sweep.row)
            write(file, results)
            last = {name: round(each[-1], 2) for name, each in sweep.row["seconds"].items()}
            print(sweep.work.name, sweep.size.key, last, flush=True)


def planned(chosen: argparse.Namespace) -> list[Sweep]:
    """The sweeps of all sizes, smallest first, with empty rows."""
    found = []
    for size in sorted(chosen.sizes):
        if chosen.device == "cpu":
            works = cpu_workloads(tiny=chosen.tiny, epochs=size.epochs)
        else:
            works = cuda_workloads(epochs=size.epochs)
        for work in works:
            if work.name in chosen.only:
                work = replace(work, precision=chosen.precision)
                found.append(Sweep(work, size, empty_row(work, size)))
    return found


def fits(spent_s: float, longest_s: float, limit_s: float) -> bool:
    """Whether one more round of a sweep would end in time."""
    return spent_s + longest_s <= limit_s


def note(row: dict[str, Any], found: Any) -> None:
    """Add a round to a row."""
    row["rounds"] += 1
    for system, taken in found.items():
        row["seconds"].setdefault(system, []).append(taken["seconds"])
        row["peak_mib"].setdefault(system, []).append(taken["peak_mib"])
        row["test_acc"][system] = taken["test_acc"]


def busy_frac() -> float:
    """The share of all cores that others use now, when nothing of ours runs."""
    import psutil

    return round(psutil.cpu_percent(interval=1.0) / 100, 2)


def empty_row(work: Workload, size: Size) -> dict[str, Any]:
    """A row before its first round."""
    return {
        "workload": work.name,
        "title": work.title,
        "jobs": len(work.jobs),
        "images": size.images,
        "epochs": size.epochs,
        "precision": work.precision,
        "rounds": 0,
        "others_frac": [],
        "seconds": {},
        "peak_mib": {},
        "test_acc": {},
    }


def shown(out: Path, results: dict[str, Any]) -> None:
    """The table and the figure."""
    from benchmarks.chart import draw_chart
    from benchmarks.savings import write_savings
    from benchmarks.table import write_table

    write_table(out, results)
    if out == HERE and results["device"] == "cpu" and not results["tiny"]:
        write_savings(results)
    if results["rows"]:
        draw_chart(out / "results" / CHART, results)


if __name__ == "__main__":
    main()

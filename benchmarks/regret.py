"""How much a chosen learning rate loses against the best one, measured on whole grids of rates.

    python -m benchmarks.regret run --folder DATA --rows rows.jsonl --sets leaves200 symbols ...
    python -m benchmarks.regret heads --folder DATA --rows rows.jsonl --sets ...
    python -m benchmarks.regret pack --rows rows.jsonl
    python -m benchmarks.regret table
    python -m benchmarks.regret figure
    python -m benchmarks.regret recipes

`run` trains depths at which stages train, `heads` freeze=all; both go on where they were ended.
`table` and `recipes` compute from benchmarks/results/regret.jsonl.gz what rules would choose.
"""

import argparse
import itertools
import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from benchmarks.regret_data import SETS, make_sets
from benchmarks.regret_plan import STEPS, wanted
from benchmarks.regret_rows import AUTO, Job, Row, read_rows, write_rows
from benchmarks.regret_runs import train, train_heads

RESULTS = Path(__file__).parent / "results" / "regret.jsonl.gz"
FIGURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "score-over-rate.png"
DEPTHS = ("4", "2", "0")
HEAD_EPOCHS = (6,)


def run(options: argparse.Namespace) -> None:
    """Train the runs of a plan, as many at once as asked for."""
    make_sets(options.sets, options.folder, options.stamps)
    cells = [
        Job(data, depth, factor, decay, 6, 0, 0)
        for data, depth, factor, decay in itertools.product(
            options.sets, options.depths, options.factors, options.decays
        )
    ]
    rows = read_rows(options.rows)
    begun: dict[Future[list[Row]], Job] = {}
    with _pool(options.processes) as pool:
        while True:
            for job, until in wanted(cells, options.seeds, rows):
                if len(begun) >= options.processes:
                    break
                if job not in begun.values():
                    begun[pool.submit(train, job, until, options.folder)] = job
            if not begun:
                return
            for ended in wait(begun, return_when=FIRST_COMPLETED).done:
                del begun[ended]
                for row in ended.result():
                    rows[row.job] = row
                    _keep([row], options.rows)


def heads(options: argparse.Namespace) -> None:
    """Train the heads of freeze=all, all rates of a data set and a seed together."""
    make_sets(options.sets, options.folder, options.stamps)
    rows = read_rows(options.rows)
    for seed, data in itertools.product(options.seeds, options.sets):
        cell = Job(data, "all", 1.0, 1.0, 6, seed, 0)
        jobs = [
            replace(cell, head_lr_factor=factor, epochs=epochs, step=step)
            for factor, epochs, step in itertools.product(
                options.factors, HEAD_EPOCHS, sorted(STEPS)
            )
        ]
        jobs += [replace(cell, step=AUTO)]
        missing = [job for job in jobs if job not in rows]
        if missing:
            _keep(train_heads(missing, options.folder), options.rows)


def _pool(processes: int) -> ProcessPoolExecutor:
    os.environ["OMP_NUM_THREADS"] = "1"
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))


def _keep(rows: Sequence[Row], path: Path) -> None:
    """Append to the file and say so."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row.plain()) + "\n" for row in rows)
    for row in rows:
        score = f"{row.score():.1f}" if row.state != "begun" else row.state
        print(*vars(row.job).values(), score, f"{row.seconds:.1f} s", flush=True)


def main() -> None:
    """Train, pack or print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["run", "heads", "pack", "table", "figure", "recipes"])
    parser.add_argument("--folder", type=Path, default=Path("regret-data"), help="of the images")
    parser.add_argument("--stamps", type=Path, help="see experiments/photographs.py")
    parser.add_argument("--rows", type=Path, help="where rows are kept, one a line")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--depths", nargs="+", choices=DEPTHS, default=list(DEPTHS))
    parser.add_argument("--factors", nargs="+", type=float, default=[1.0])
    parser.add_argument("--decays", nargs="+", type=float, default=[1.0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    if options.what == "table":
        from benchmarks.regret_table import print_tables

        print_tables(read_rows(options.rows or RESULTS))
    elif options.what == "recipes":
        from benchmarks.regret_recipes import print_recipes

        print_recipes(read_rows(options.rows or RESULTS))
    elif options.what == "figure":
        from benchmarks.regret_figure import draw

        draw(read_rows(options.rows or RESULTS), FIGURE)
    elif options.what == "pack":
        write_rows(read_rows(options.rows).values(), RESULTS)
    else:
        {"run": run, "heads": heads}[options.what](options)


if __name__ == "__main__":
    main()

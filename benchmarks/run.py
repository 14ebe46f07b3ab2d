"""Seconds for whole sweeps: Frostline, what people do (P0) and a tuned loop (P1), in one call.

Usage:
python -m benchmarks.run                        # W1, W2, W3, W6 on the CPU, in under 15 minutes
python -m benchmarks.run --device cuda          # the larger sizes
python -m benchmarks.run --precision fastest    # P1 and Frostline each in what a probe finds best
python -m benchmarks.run --tiny --out DIR       # tiny nets, to try the code
"""

import argparse
import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.jobs import Place, Workload, cpu_workloads, cuda_workloads, tiny_workloads
from benchmarks.machine import machine_name

HERE = Path(__file__).resolve().parent
CHART = "sweep_seconds.svg"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["32-true", "fastest"], default="32-true")
    parser.add_argument("--rounds", type=int, default=3, help="how often each system runs at most")
    parser.add_argument(
        "--minutes", type=float, default=14.8, help="no round begins that would end after this"
    )
    parser.add_argument("--images", type=int, help="images of the data set")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    parser.add_argument("--only", default="W1,W2,W3,W6", help="workloads, such as W1,W3")
    parser.add_argument("--tiny", action="store_true", help="tiny nets at 64 px")
    parser.add_argument("--out", type=Path, help="write there instead of into benchmarks/")
    chosen = parser.parse_args()
    from benchmarks.chart import draw_chart
    from benchmarks.table import write_table

    out = chosen.out or HERE
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        results = Benchmark(chosen, Path(scratch)).measured(begun)
    results["whole_s"] = round(time.monotonic() - begun, 1)
    (out / "results").mkdir(parents=True, exist_ok=True)
    name = machine_name(chosen.device)
    (out / "results" / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    write_table(out, results)
    if results["sweeps"]:
        draw_chart(out / "results" / CHART, results)
    print(f"written to {out / 'results' / name}.json in {results['whole_s']:.0f} s")


class Benchmark:
    """All workloads over and over, the systems in turn.

    Args:
        chosen: The command line.
        scratch: An empty folder.
    """

    def __init__(self, chosen: argparse.Namespace, scratch: Path) -> None:
        self.chosen, self.scratch = chosen, scratch
        self.n_images = chosen.images or (
            150 if chosen.tiny else 300 if chosen.device == "cpu" else 10000
        )

    def measured(self, begun: float) -> dict[str, Any]:
        """Rounds until all are done, or until one more would take too long.

        Args:
            begun: When the clock started (time.monotonic).
        """
        import torch

        from benchmarks.bound import bound_s
        from benchmarks.measure import Taken, in_warm_process
        from benchmarks.plain import prepare
        from benchmarks.tuned import fastest_modes

        chosen = self.chosen
        works = cpu_workloads(tiny=chosen.tiny) if chosen.device == "cpu" else cuda_workloads()
        wanted = chosen.only.split(",")
        works = [replace(work, precision=chosen.precision) for work in works if work.name in wanted]
        self.images = write_images(
            self.scratch / "leaves", self.n_images, 128 if chosen.device == "cpu" else 256
        )
        self.template = new_store(self.scratch)
        results: dict[str, Any] = {
            "machine": machine_name(chosen.device),
            "device": chosen.device,
            "precision": chosen.precision,
            "torch": torch.__version__,
            "threads": chosen.threads or torch.get_num_threads(),
            "images": self.n_images,
            "tiny": chosen.tiny,
            "rounds": 0,
            "sweeps": {work.name: _empty(work) for work in works},
        }
        fresh: Taken
        givens = {}
        for work in works:
            fresh = in_warm_process(prepare, work, self.folder())
            ways = in_warm_process(fastest_modes, work, self.place(), fresh.value).value
            givens[work.name] = (fresh.value, ways)
            bound = in_warm_process(bound_s, work, self.place(), fresh.value).value
            results["sweeps"][work.name]["bound_s"] = bound
        if "W6" in wanted:
            results["W6"] = self.tiny_jobs()
            print("W6", results["W6"], flush=True)
        longest_s = 0.0
        for _ in range(chosen.rounds):
            round_begun = time.monotonic()
            if results["rounds"] and round_begun - begun + longest_s > 60 * chosen.minutes:
                break
            for work in works:
                sweep = results["sweeps"][work.name]
                self.round(work, *givens[work.name], sweep)
                shown = {name: round(v[-1], 2) for name, v in sweep["seconds"].items()}
                print(work.name, shown, flush=True)
            results["rounds"] += 1
            longest_s = time.monotonic() - round_begun
        return results

    def folder(self) -> Path:
        """A new, empty folder."""
        return Path(tempfile.mkdtemp(dir=self.scratch))

    def place(self) -> Place:
        """A new folder with an empty store of records."""
        folder = self.folder()
        shutil.copyfile(self.template, folder / "mlflow.db")
        store = f"sqlite:///{folder / 'mlflow.db'}"
        return Place(self.images, store, folder, self.chosen.device, self.chosen.threads)

    def round(self, work: Workload, givens: Any, ways: Any, sweep: dict[str, Any]) -> None:
        """All systems once; what they took is added to the sweep's results."""
        from benchmarks import ours, tuned, usual
        from benchmarks.measure import Taken, fresh_home, here, in_warm_process

        def note(system: str, taken: Taken, accuracies: list[float]) -> None:
            sweep["seconds"].setdefault(system, []).append(taken.seconds)
            sweep["peak_mib"].setdefault(system, []).append(taken.peak_mib)
            sweep["test_acc"][system] = accuracies

        taken = in_warm_process(usual.usual_sweep, work, self.place(), givens)
        note("P0", taken, taken.value)
        taken = in_warm_process(tuned.tuned_sweep, work, self.place(), givens, ways)
        note("P1", taken, taken.value[0])
        fresh_home(self.folder())
        for system in ("cold", "warm"):
            place = self.place()
            note(system, here(ours.our_sweep, work, place), ours.our_accuracies(work, place))

    def tiny_jobs(self) -> dict[str, Any]:
        """W6: many tiny jobs, by themselves and as one batch; what a step costs."""
        from benchmarks import ours, tuned
        from benchmarks.measure import fresh_home, here, in_warm_process
        from benchmarks.plain import prepare
        from benchmarks.steps import step_overhead

        found: dict[str, Any] = {}
        for name, work in tiny_workloads(tiny=self.chosen.tiny).items():
            givens = in_warm_process(prepare, work, self.folder()).value
            ways = in_warm_process(tuned.fastest_modes, work, self.place(), givens).value
            loop_s = in_warm_process(tuned.tuned_sweep, work, self.place(), givens, ways).value[1]
            fresh_home(self.folder())
            taken = here(ours.our_sweep, work, self.place())
            found[f"{name}_jobs"] = len(work.jobs)
            found[f"{name}_s_per_job"] = taken.seconds / len(work.jobs)
            found[f"{name}_loop_s_per_job"] = loop_s / len(work.jobs)
        found["step"] = in_warm_process(step_overhead, self.folder()).value
        return found


def _empty(work: Workload) -> dict[str, Any]:
    return {
        "title": work.title,
        "jobs": len(work.jobs),
        "goals": {"P0": work.goal_p0, "P1": work.goal_p1},
        "seconds": {},
        "peak_mib": {},
        "test_acc": {},
    }


def write_images(folder: Path, n: int, size_px: int) -> Path:
    """The built-in leaves as JPEG files in class folders, which every system reads."""
    from frostline.data.sources.leaves import load_leaves

    table = load_leaves(
        n_images=n, size_px=size_px, n_species=2, photos_per_leaf=1, variant="color",
        background="lab", imbalance=1.0, shortcut=0.0, leak=0.0, draw_seed=0,
    )  # fmt: skip
    for row, item in enumerate(table.items):
        place = folder / table.classes[int(table.labels[row])] / f"{row:06d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        table.open_image(item).save(place, quality=92)
    return folder


def new_store(scratch: Path) -> Path:
    """An empty, migrated database, made once: migrations are not what is measured."""
    from mlflow import MlflowClient

    file = scratch / "template.db"
    MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments(max_results=1)
    return file


if __name__ == "__main__":
    main()

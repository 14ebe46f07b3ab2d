"""Seconds for whole sweeps: Frostline, what people do (P0) and a tuned loop (P1), in one call.

Usage:
python -m benchmarks.run                  # W1, W2, W3, W6 on the CPU; writes results and table
python -m benchmarks.run --device cuda    # the larger sizes
python -m benchmarks.run --tiny --out DIR # tiny nets, to try the code
"""

import argparse
import json
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.jobs import Place, Workload, cpu_workloads, cuda_workloads

HERE = Path(__file__).resolve().parent
SYSTEMS = ("P0", "P1", "cold", "warm")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=3, help="how often each system runs")
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
        results = measure_all(chosen, Path(scratch))
    results["whole_s"] = round(time.monotonic() - begun, 1)
    (out / "results").mkdir(parents=True, exist_ok=True)
    name = machine_name(chosen.device)
    (out / "results" / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    write_table(out, results)
    if results["sweeps"]:
        draw_chart(out / "results" / f"{name}.png", results)
    print(f"written to {out / 'results' / name}.json in {results['whole_s']:.0f} s")


def machine_name(device: str) -> str:
    """The processor's or card's name in letters and digits."""
    if device == "cuda":
        import torch

        text = torch.cuda.get_device_name()
    else:
        text = _processor()
        from src.data.pixels import usable_cores

        text += f" {usable_cores()} cores"
    return "-".join("".join(c if c.isalnum() else " " for c in text).lower().split())


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()


def measure_all(chosen: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Every workload, the systems in turn."""
    import torch

    n_images = chosen.images or (150 if chosen.tiny else 300 if chosen.device == "cpu" else 10000)
    images = write_images(scratch / "leaves", n_images, 128 if chosen.device == "cpu" else 256)
    template = new_store(scratch)
    works = cpu_workloads(tiny=chosen.tiny) if chosen.device == "cpu" else cuda_workloads()
    wanted = chosen.only.split(",")
    results: dict[str, Any] = {
        "machine": machine_name(chosen.device),
        "device": chosen.device,
        "torch": torch.__version__,
        "threads": chosen.threads or torch.get_num_threads(),
        "images": n_images,
        "rounds": chosen.rounds,
        "tiny": chosen.tiny,
        "sweeps": {},
    }
    for work in works:
        if work.name in wanted:
            results["sweeps"][work.name] = measure_sweep(work, chosen, images, template, scratch)
            shown = results["sweeps"][work.name]["seconds"]
            print(work.name, {system: [round(s, 2) for s in v] for system, v in shown.items()})
    if "W6" in wanted:
        results["W6"] = measure_tiny(chosen, images, template, scratch)
        print("W6", results["W6"])
    return results


def write_images(folder: Path, n: int, size_px: int) -> Path:
    """The built-in leaves as JPEG files in class folders, which every system reads."""
    from src.data.sources.leaves import load_leaves

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


def _place(scratch: Path, template: Path, images: Path, chosen: argparse.Namespace) -> Place:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    shutil.copyfile(template, folder / "mlflow.db")
    store = f"sqlite:///{folder / 'mlflow.db'}"
    return Place(images, store, folder, chosen.device, chosen.threads)


def measure_sweep(
    work: Workload, chosen: argparse.Namespace, images: Path, template: Path, scratch: Path
) -> dict[str, Any]:
    """One workload: all systems in turn, several times."""
    from benchmarks import ours, tuned, usual
    from benchmarks.bound import bound_s
    from benchmarks.measure import Taken, in_warm_process, with_home

    seconds: dict[str, list[float]] = {}
    peaks: dict[str, list[float]] = {}
    accuracies: dict[str, list[float]] = {}

    def note(system: str, taken: Taken, values: list[float]) -> None:
        seconds.setdefault(system, []).append(taken.seconds)
        peaks.setdefault(system, []).append(taken.peak_mib)
        accuracies[system] = values

    bounds = []
    for _ in range(chosen.rounds):
        bounds.append(
            in_warm_process(bound_s, work, _place(scratch, template, images, chosen)).value
        )
        for system, function in (("P0", usual.usual_sweep), ("P1", tuned.tuned_sweep)):
            place = _place(scratch, template, images, chosen)
            taken = in_warm_process(function, work, place)
            note(system, taken, taken.value)
        for kind, more in (("", ()), ("fastest ", ("trainer.precision=fastest",))):
            home = Path(tempfile.mkdtemp(dir=scratch))
            for system in (f"{kind}cold", f"{kind}warm"):
                place = _place(scratch, template, images, chosen)
                taken = with_home(home, ours.our_sweep, work, place, *more)
                note(system, taken, ours.our_accuracies(work, place))
        if work.name == "W2":
            for system in ("group cold", "group warm"):
                home = Path(tempfile.mkdtemp(dir=scratch)) if system == "group cold" else home
                place = _place(scratch, template, images, chosen)
                taken = in_warm_process(_with_home, home, ours.our_group, work, place)
                note(system, taken, taken.value)
    return {
        "title": work.title,
        "jobs": len(work.jobs),
        "goals": {"P0": work.goal_p0, "P1": work.goal_p1},
        "seconds": seconds,
        "bound_s": statistics.median(bounds),
        "peak_mib": {system: max(values) for system, values in peaks.items()},
        "test_acc": accuracies,
    }


def _with_home(home: Path, function: Callable[..., Any], *args: Any) -> Any:
    import os

    os.environ["FROSTLINE_HOME"] = str(home)
    return function(*args)


def measure_tiny(
    chosen: argparse.Namespace, images: Path, template: Path, scratch: Path
) -> dict[str, Any]:
    """W6: many tiny jobs, each isolated and all as one batch, and a step's cost."""
    from benchmarks import ours
    from benchmarks.jobs import Job
    from benchmarks.measure import in_warm_process, with_home
    from benchmarks.steps import step_overhead

    n_jobs = 8 if chosen.tiny else 64
    lrs = [round(1e-4 * 1.1**power, 8) for power in range(n_jobs)]
    jobs = tuple(Job("test_resnet", "all", lr) for lr in lrs)
    shared = ("image_size=64", "epochs=2", "batch_size=32")
    work = Workload("W6", f"{n_jobs} tiny jobs", shared, jobs, 64, 2, 32, 0, 0)
    home = Path(tempfile.mkdtemp(dir=scratch))
    isolated = with_home(home, ours.our_sweep, work, _place(scratch, template, images, chosen))
    group = in_warm_process(
        _with_home, home, ours.our_group, work, _place(scratch, template, images, chosen)
    )
    steps = in_warm_process(step_overhead, Path(tempfile.mkdtemp(dir=scratch))).value
    n_train = int(0.6 * (chosen.images or 300))
    training_s = 2 * (n_train / 32) * steps["raw_ms"] / 1e3
    return {
        "jobs": n_jobs,
        "isolated_s_per_job": isolated.seconds / n_jobs - training_s,
        "batched_ms_per_job": 1e3 * (group.seconds / n_jobs - training_s),
        "step": steps,
    }


if __name__ == "__main__":
    main()

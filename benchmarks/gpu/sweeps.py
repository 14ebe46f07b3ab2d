"""W1 to W4 on the card: what people do (P0), a tuned loop (P1), the bound, and Frostline."""

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.gpu.checks import Checks
from benchmarks.jobs import Workload, build
from benchmarks.machine import machine_name

RESULTS = Path(__file__).resolve().parents[1] / "results"
# Seconds of P0 are mostly those of decoding, again in each epoch: few images keep it short.
_IMAGES, _EPOCHS, _IMAGES_TINY = 600, 2, 90
_ACCURACY_GAP = 0.1  # of a mean over jobs on some hundred test images


def workloads(found: Checks) -> list[Workload]:
    """The sweeps, small enough for a first look; `benchmarks.run --device cuda` has the large."""
    if found.tiny:
        net, size, batch, depths, w2 = "test_resnet", 64, 32, ("0", "2", "all"), (2, 1)
    else:
        net, size, batch, depths, w2 = "resnet50", 224, 64, ("0", "2", "4", "all"), (4, 2)
    goals = {"W1": (2.5, 1.15), "W2": (100.0, 50.0), "W3": (8.0, 2.0), "W4": (3.0, 1.3)}
    works = build(
        net, net, {net: "random"}, depths, image_size=size, epochs=_EPOCHS, batch_size=batch,
        w2=w2, w3_backbones=(net,), goals=goals,
    )  # fmt: skip
    precision = "auto" if found.device == "cuda" else "32-true"
    ready = []
    for work in works:
        jobs = tuple(dict.fromkeys(work.jobs))  # one backbone stands for both
        title = "depth sweep, no augmentation" if work.name == "W1" else work.title
        title = "last stage + head, 3 jobs" if work.name == "W3" else title
        ready.append(replace(work, jobs=jobs, title=title, precision=precision))
    return ready


def part_sweeps(found: Checks) -> None:
    """Each sweep once by each system, on the same JPEG files, in warm processes."""
    import torch

    from benchmarks.bound import bound_s
    from benchmarks.measure import in_warm_process
    from benchmarks.plain import prepare
    from benchmarks.run import Benchmark, new_store, write_images
    from benchmarks.tuned import fastest_modes

    images = _IMAGES_TINY if found.tiny else _IMAGES
    chosen = Namespace(device=found.device, threads=None, tiny=found.tiny, images=images)
    bench = Benchmark(chosen, found.folder)
    bench.images = write_images(found.folder / "leaves", images, 80 if found.tiny else 256)
    bench.template = new_store(found.folder)
    results: dict[str, Any] = {
        "machine": machine_name(found.device), "device": found.device, "images": images,
        "precision": "auto" if found.device == "cuda" else "32-true", "tiny": found.tiny,
        "torch": torch.__version__, "rounds": 1, "sweeps": {},
    }  # fmt: skip
    for work in workloads(found):
        with found.tried(work.name):
            givens = in_warm_process(prepare, work, bench.folder()).value
            ways = in_warm_process(fastest_modes, work, bench.place(), givens).value
            sweep: dict[str, Any] = {
                "title": work.title, "jobs": len(work.jobs), "seconds": {}, "peak_mib": {},
                "test_acc": {}, "goals": {"P0": work.goal_p0, "P1": work.goal_p1},
                "bound_s": in_warm_process(bound_s, work, bench.place(), givens).value,
            }  # fmt: skip
            bench.round(work, givens, ways, sweep)
            results["sweeps"][work.name] = sweep
            seconds = {name: round(values[0], 2) for name, values in sweep["seconds"].items()}
            found.figure(work.name, seconds | {"bound": round(sweep["bound_s"], 2)})
            means = {name: sum(each) / len(each) for name, each in sweep["test_acc"].items()}
            gap = abs(means["cold"] - means["P1"])
            found.check(f"{work.name}: as accurate as P1", gap < _ACCURACY_GAP, **means)
    (found.folder / "sweeps.json").write_text(json.dumps(results, indent=1) + "\n")

"""W1 to W4 on the card: what people do (P0), a tuned loop (P1), the bound, and Frostline."""

import json
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
    works = build(
        net, net, {net: "random"}, depths, image_size=size, epochs=_EPOCHS, batch_size=batch,
        w2=w2, w3_backbones=(net,),
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

    from benchmarks.systems import Systems

    images = _IMAGES_TINY if found.tiny else _IMAGES
    systems = Systems(found.folder, found.device, None, 80 if found.tiny else 256)
    results: dict[str, Any] = {
        "machine": machine_name(found.device), "device": found.device, "images": images,
        "precision": "auto" if found.device == "cuda" else "32-true", "tiny": found.tiny,
        "torch": torch.__version__, "rounds": 1, "sweeps": {},
    }  # fmt: skip
    for work in workloads(found):
        with found.tried(work.name):
            bound_s = systems.bound_s(work, images)
            taken = systems.round(work, images)
            results["sweeps"][work.name] = {
                "title": work.title, "jobs": len(work.jobs), "bound_s": bound_s, "systems": taken,
            }  # fmt: skip
            seconds = {name: round(each["seconds"], 2) for name, each in taken.items()}
            found.figure(work.name, seconds | {"bound": round(bound_s, 2)})
            means = {name: sum(v["test_acc"]) / len(v["test_acc"]) for name, v in taken.items()}
            gap = abs(means["cold"] - means["P1"])
            found.check(f"{work.name}: as accurate as P1", gap < _ACCURACY_GAP, **means)
    (found.folder / "sweeps.json").write_text(json.dumps(results, indent=1) + "\n")

"""What was trained on the card is evaluated, asked and exported on a machine without one."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.gpu.checks import Checks
from benchmarks.gpu.commands import NO_CARD, command, runs_of, train
from benchmarks.gpu.jobs_here import Place, net_of

_ON_A_CPU = 0.05  # between figures in bfloat16 on a card and in float32 on a CPU


def part_elsewhere(found: Checks) -> None:
    """One run, used with the card hidden and with it."""
    place = Place.fresh(found, "trained")
    words = [f"backbone={net_of(found)}", "freeze=2", "evidence=light"]
    with found.tried("a run to use"):
        said = train(found, place, *words, sweep=False)
        found.check("a run to use", said.code == 0, **said.details)
    runs = runs_of(place)
    if not runs:
        return
    run, pictures = runs[0].run_id, _pictures(found.folder / "pictures")
    at = ["--uri", place.uri]
    for where, env in (("without a card", NO_CARD), ("here", {})):
        with found.tried(f"evaluate {where}"):
            said = command(["evaluate", run, *at, "--json", "--no-log"], place.folder, env)
            gap = json.loads(said.out)["largest_difference"] if said.code == 0 else None
            # Here to the last digit; a CPU computes the run's precision with other kernels.
            most = 0.0 if where == "here" or found.device == "cpu" else _ON_A_CPU
            found.check(
                f"evaluate {where}", gap is not None and gap <= most, gap=gap, **said.details
            )
        with found.tried(f"predict {where}"):
            said = command(["predict", run, str(pictures), *at, "--json"], place.folder, env)
            found.check(f"predict {where}", said.code == 0 and "0.png" in said.out, **said.details)
    for kind, package in (("torch_export", "torch"), ("onnx", "onnxscript")):
        if find_spec(package) is None:
            found.figure(f"left out: {kind}", f"{package} is not installed")
            continue
        with found.tried(f"export {kind} without a card"):
            words = ["export", run, *at, "--format", kind, "--out", f"export-{kind}"]
            said = command(words, place.folder, NO_CARD)
            found.check(f"export {kind} without a card", said.code == 0, **said.details)


def _pictures(folder: Path) -> Path:
    folder.mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 255, (90, 110, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder

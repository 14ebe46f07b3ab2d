"""The parts of a sweep, and what whole commands take."""

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.fixed_clock import REST, Clock, tree_s
from benchmarks.fixed_parts import SWEEP
from benchmarks.our_command import give

Times = dict[str, list[float]]
WHOLE = "the whole sweep"
N_SWEPT = 4
# Two backbones at six depths and two rates.
CELLS_24 = (
    "backbone=tf_efficientnet_lite0,tf_efficientnet_lite1", "freeze=0,1,2,3,4,all",
    "lr=1e-3,2e-3", "image_size=96", "dry_run=true",
)  # fmt: skip
TINY = ("backbone=test_resnet", "weights=random", "freeze=2", "image_size=64", "epochs=2")


def measured_sweep(images: Path, folder: Path, *words: str) -> Times:
    """The parts of one sweep, its fork server warm.

    Args:
        images: Folder of images.
        folder: Where the command is given.
        words: Of the command.
    """
    from benchmarks.measure import nothing
    from frostline.sweeps import workers

    clock = Clock(tree_s)
    workers.call(nothing)
    with clock.watching(SWEEP), clock.part(REST):
        give(folder, ["-m", "data=folder", f"data.path={images}", "data.split_seed=0", *words])
    clock.spent[WHOLE] = [sum(each) for each in zip(*clock.spent.values(), strict=True)]
    return clock.spent


def at_home(folder: Path, template: Path) -> Path:
    """A new place to work in: an empty store, nothing known of any image."""
    folder.mkdir()
    shutil.copyfile(template, folder / "mlflow.db")
    for name in ("HOME", "CACHE"):
        os.environ[f"FROSTLINE_{name}"] = str(folder / name.lower())
    return folder


def measured_commands(images: Path, folder: Path) -> Times:
    """Whole commands in the folder of a finished sweep of tiny jobs.

    Args:
        images: Folder of at least 90 images.
        folder: Where `measured_sweep` was given `TINY` and its rates.
    """
    some = folder / "ninety"
    some.mkdir()
    for place, file in enumerate(sorted(images.rglob("*.jpg"))[:90]):
        shutil.copyfile(file, some / f"{place}.jpg")
    again = ["-m", "data=folder", f"data.path={images}", "data.split_seed=0", *TINY, rates()]
    name = "test_resnet-freeze2-seed0-lr=0.001"
    return {
        "`train --help`": _command("train", "--help"),
        "a sweep with nothing left to do": _command("train", *again, folder=folder),
        "`predict` of 90 images": _command("predict", name, str(some), folder=folder),
        "`evaluate`": _command("evaluate", name, folder=folder),
    }


def rates() -> str:
    """The swept values of the tiny jobs."""
    return "lr=" + ",".join(f"{1e-3 * (place + 1):g}" for place in range(N_SWEPT))


def _command(name: str, *words: str, folder: Path | None = None) -> list[float]:
    """Milliseconds on the wall and of the processor, imports and all.

    Raises:
        RuntimeError: If it failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    command = [sys.executable, "-m", "frostline", name, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [1e3 * wall, 1e3 * used]

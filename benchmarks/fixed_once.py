"""One round of the profile of fixed costs, of the version that is imported."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fixed_jobs import SHAPES, measured_jobs
from benchmarks.fixed_sweeps import (
    CELLS_24,
    TINY,
    Times,
    at_home,
    measured_commands,
    measured_sweep,
    rates,
)
from benchmarks.inputs import new_store, write_images
from benchmarks.measure import in_warm_process

N_IMAGES = 150
N_PLANNED = 1000
COLD, WARM = "plan of 24 cells, 1,000 new images", "the same again"
SWEEP, COMMANDS = "sweep of 4 tiny jobs", "commands"


def measure_once(wanted: Sequence[str], shapes: str, jobs: int) -> dict[str, Times]:
    """Column to part to milliseconds on the wall and of the processor.

    Args:
        wanted: Of `jobs`, `sweeps`, `commands`.
        shapes: Only jobs whose column begins so.
        jobs: How many of each kind count.
    """
    found: dict[str, Times] = {}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        images = write_images(scratch / "leaves", N_IMAGES, 128)
        template = new_store(scratch)
        if "jobs" in wanted:
            for place, shape in enumerate(SHAPES):
                if not shape.name.startswith(shapes):
                    continue
                folder = scratch / f"jobs{place}"
                folder.mkdir()
                call = (shape, images, template, folder, jobs)
                found[shape.name] = in_warm_process(measured_jobs, *call).value
        if "sweeps" in wanted:
            many = write_images(scratch / "many", N_PLANNED, 128)
            home = at_home(scratch / "plan", template)
            found[COLD] = measured_sweep(many, home, *CELLS_24)
            found[WARM] = measured_sweep(many, home, *CELLS_24)
        if "sweeps" in wanted or "commands" in wanted:
            home = at_home(scratch / "sweep", template)
            measured_sweep(images, home, *TINY, "lr=5e-3")  # the images are known from here on
            found[SWEEP] = measured_sweep(images, home, *TINY, rates())
            if "commands" in wanted:
                found[COMMANDS] = measured_commands(images, home)
    return found

"""What a tuned loop (benchmarks/tuned.py) takes for the cells of a search: processor seconds.

It trains without augmentation, whatever the recipe: what augmenting would cost it is left out.
"""

import itertools
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.inputs import new_store, write_images
from benchmarks.jobs import Job, Place, Workload
from benchmarks.plain import prepare
from benchmarks.search_cells import BACKBONES, DEPTHS
from benchmarks.tuned import Tuned
from frostline.data.splits import Splits

SIZE_PX = 48
_FEW, _MORE = 1, 3  # epochs whose times differ by those of two


def loop_seconds(n_train: int, n_val: int) -> Mapping[str, tuple[float, float]]:
    """Seconds of building a cell, and of one of its epochs, by `BACKBONE DEPTH`.

    Args:
        n_train: Training images.
        n_val: Validation images.
    """
    jobs = tuple(
        Job(backbone, depth, 1.6e-3, weights="pretrained")
        for backbone, depth in itertools.product(BACKBONES, DEPTHS)
    )
    work = Workload("search", "cells of a search", (), jobs, SIZE_PX, _FEW, 32)
    found = {}
    with tempfile.TemporaryDirectory(prefix="search-loop-") as name:
        scratch = Path(name)
        images = write_images(scratch / "leaves", n_train + n_val + 20, SIZE_PX)
        template = new_store(scratch)
        place = Place(images, f"sqlite:///{template}", scratch, "cpu", 1)
        givens = prepare(work, scratch)
        sweep = Tuned(work, place, givens)
        rows = np.arange(n_train + n_val + 20)
        sweep.splits = Splits(rows[:n_train], rows[n_train : n_train + n_val], rows[-20:])
        sweep.job(jobs[-1])  # what a first job warms up is not counted
        for job in jobs:
            sweep.fastest(job, *sweep.parts(job)[1:])
            taken = {}
            for epochs in (_FEW, _MORE):
                sweep.work = replace(work, epochs=epochs)
                begun_s = time.process_time()
                sweep.job(job)
                taken[epochs] = time.process_time() - begun_s
            epoch_s = (taken[_MORE] - taken[_FEW]) / (_MORE - _FEW)
            found[f"{job.backbone} {job.freeze}"] = (taken[_FEW] - _FEW * epoch_s, epoch_s)
    return found

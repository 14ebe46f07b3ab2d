"""Frostline itself: the command as a person gives it, and the group of heads in one process."""

import contextlib
import io
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.jobs import Job, Place, Workload
from src.features.group import run_head_group
from src.sweep.sweeper import settings_of

CONF = Path(__file__).resolve().parents[1] / "conf"


def fixed(work: Workload, place: Place, *more: str) -> list[str]:
    """The overrides that all jobs have in common."""
    threads = "null" if place.threads is None else str(place.threads)
    return [
        "data=folder",
        f"data.path={place.images}",
        "data.split_seed=0",
        "augment=none",
        f"trainer.accelerator={place.device}",
        f"trainer.threads={threads}",
        f"tracking.uri={place.store_uri}",
        "tracking.experiment=benchmark",
        *work.overrides,
        *more,
    ]


def sweeps_of(jobs: tuple[Job, ...]) -> list[list[str]]:
    """Command lines that together ask for the jobs: grids, so one for each kind of weights."""
    lines = []
    for weights in dict.fromkeys(job.weights for job in jobs):
        chosen = [job for job in jobs if job.weights == weights]
        swept = {
            "backbone": [job.backbone for job in chosen],
            "freeze": [job.freeze for job in chosen],
            "lr": [str(job.lr) for job in chosen],
            "seed": [str(job.seed) for job in chosen],
        }
        grid = [f"{key}={','.join(dict.fromkeys(values))}" for key, values in swept.items()]
        lines.append([f"weights={weights}", *grid])
    return lines


def our_sweep(work: Workload, place: Place, *more: str) -> None:
    """`python -m src.train -m ...` in this process, whose fork server is warm.

    Raises:
        RuntimeError: If a job failed.
    """
    from src.train import main

    before, said = (sys.argv, Path.cwd()), io.StringIO()
    place.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(place.folder)
    try:
        for line in sweeps_of(work.jobs):
            sys.argv = ["train.py", "-m", *fixed(work, place, *more), *line]
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                main()
    except SystemExit as ended:
        if ended.code:
            raise RuntimeError(said.getvalue()[-4000:]) from None
    finally:
        sys.argv = before[0]
        os.chdir(before[1])


def our_group(work: Workload, place: Place, *more: str) -> list[float]:
    """The jobs as one group in one process, each with its record; returns test accuracies."""
    from hydra import compose, initialize_config_dir

    from src.analysis.predictions import write_predictions
    from src.tracking.store import open_store
    from src.training.metrics import probabilities

    settings = []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for job in work.jobs:
            own = [f"{key}={value}" for key, value in vars(job).items()]
            settings.append(settings_of(compose("train", [*fixed(work, place, *more), *own])))
    begun = time.monotonic()
    outcome = run_head_group(settings, tell=lambda **_: None)
    spent_s = (time.monotonic() - begun) / len(settings)
    store = open_store(place.store_uri, "benchmark", offline=False)
    for number, (one, job) in enumerate(zip(settings, outcome.jobs, strict=True)):
        tracked = store.start_run(one.run_name, {"frostline.kind": "job"}, None)
        tracked.log_params({"backbone": one.backbone, "freeze": one.freeze, "lr": one.lr})
        for epoch, figures in enumerate(job.history):
            tracked.log_metrics(figures, epoch)
        tracked.log_metrics(job.figures | {"time/train_s": spent_s}, len(job.history))
        for split, said in (("val", job.val), ("test", job.test)):
            assert said is not None
            rows: Any = said.items.numpy()
            write_predictions(
                place.folder / f"{number}-{split}.parquet",
                items=[outcome.table.items[row] for row in rows.tolist()],
                groups=[str(group) for group in outcome.table.groups[rows]],
                labels=said.labels.numpy(),
                probs=probabilities(said.logits).numpy(),
            )
        tracked.finish("FINISHED")
    return [job.figures["test/acc_micro"] for job in outcome.jobs]


def our_accuracies(work: Workload, place: Place) -> list[float]:
    """Test accuracies of the finished runs, in the order of the jobs."""
    from src.tracking.store import open_store

    store = open_store(place.store_uri, "benchmark", offline=False)
    runs = store.find_runs({"frostline.kind": "job"}, status=["FINISHED"])
    found = {
        (r.params["backbone"], r.params["freeze"], float(r.params["lr"]), r.params["seed"]): r
        for r in runs
    }
    keys = [(job.backbone, job.freeze, job.lr, str(job.seed)) for job in work.jobs]
    return [float(found[key].metrics["test/acc_micro"]) for key in keys]

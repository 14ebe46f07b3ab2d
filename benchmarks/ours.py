"""Frostline itself: the command as a person gives it."""

import math

from benchmarks.jobs import Job, Place, Workload
from benchmarks.our_command import give


def fixed(work: Workload, place: Place) -> list[str]:
    """The overrides that all jobs have in common.

    The peers write neither a report nor pages about each run, so neither do we.
    """
    threads = "null" if place.threads is None else str(place.threads)
    return [
        "data=folder",
        f"data.path={place.images}",
        "data.split_seed=0",
        f"augment={work.augment}",
        f"trainer.accelerator={place.device}",
        f"trainer.threads={threads}",
        f"tracking.uri={place.store_uri}",
        "tracking.experiment=benchmark",
        f"trainer.precision={work.precision}",
        "report=false",
        "evidence=off",
        *work.overrides,
    ]


def grid_of(jobs: tuple[Job, ...]) -> list[str]:
    """The swept values that ask for the jobs.

    Raises:
        ValueError: If the jobs are not a grid, or want different kinds of weights.
    """
    swept = {
        "backbone": [job.backbone for job in jobs],
        "freeze": [job.freeze for job in jobs],
        "lr": [str(job.lr) for job in jobs],
        "seed": [str(job.seed) for job in jobs],
        "weights": [job.weights for job in jobs],
    }
    values = {key: list(dict.fromkeys(each)) for key, each in swept.items()}
    if math.prod(map(len, values.values())) != len(jobs) or len(values["weights"]) != 1:
        raise ValueError("these jobs are not one command")
    return [f"{key}={','.join(each)}" for key, each in values.items()]


def our_sweep(work: Workload, place: Place) -> None:
    """`python -m src.train -m ...` in this process, whose fork server is warm and stays so.

    Raises:
        RuntimeError: If a job failed.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    give(place.folder, ["-m", *fixed(work, place), *grid_of(work.jobs)])


def our_accuracies(work: Workload, place: Place) -> list[float]:
    """Test accuracies of the finished runs, in the order of the jobs."""
    from frostline.tracking.store import open_store

    store = open_store(place.store_uri, "benchmark", offline=False)
    runs = store.find_runs({"frostline.kind": "job"}, status=["FINISHED"])
    found = {
        (r.params["backbone"], r.params["freeze"], float(r.params["lr"]), r.params["seed"]): r
        for r in runs
    }
    keys = [(job.backbone, job.freeze, job.lr, str(job.seed)) for job in work.jobs]
    return [float(found[key].metrics["test/acc_micro"]) for key in keys]

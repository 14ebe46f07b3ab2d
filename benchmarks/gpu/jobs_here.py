"""Single jobs in this process, as a sweep's worker would carry them out, and how they differ."""

import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from torch import Tensor

from benchmarks.gpu.checks import Checks

EXPERIMENT = "leaves"  # that of the built-in data
METRICS = ("train/loss", "val/loss", "val/f1_macro")


@dataclass(frozen=True)
class Done:
    """A finished job.

    Attributes:
        run_id: Of its run.
        tags: Of its run.
        metrics: Its last ones.
        curves: Metric to its values by epoch.
        weights: The chosen ones.
        seconds: From settings to the end.
    """

    run_id: str
    tags: dict[str, str]
    metrics: dict[str, float]
    curves: dict[str, list[float]]
    weights: dict[str, Tensor]
    seconds: float


def net_of(found: Checks) -> str:
    """The network of most parts."""
    return "test_resnet" if found.tiny else "resnet18"


def sizes(found: Checks) -> list[str]:
    """What all jobs have in common."""
    images, px = (150, 64) if found.tiny else (600, 96)
    accelerator = "auto" if found.device == "cuda" else "cpu"  # `auto` is what people have
    return [
        "weights=random", f"data.n_images={images}", f"image_size={px}", "epochs=2",
        "batch_size=32", "augment=none", "data.split_seed=0", "evidence=off", "lr=1e-3",
        f"trainer.accelerator={accelerator}",
    ]  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A folder with a store, stored features and a database of its own."""

    folder: Path

    @property
    def uri(self) -> str:
        """Of the database."""
        return f"sqlite:///{self.folder}/mlflow.db"

    @classmethod
    def fresh(cls, found: Checks, name: str) -> "Place":
        """An empty one, which is this process's from here on; decoded images are kept."""
        folder = found.folder / re.sub(r"[^\w.-]+", "-", name)  # it stands in Hydra's overrides
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        os.environ["FROSTLINE_HOME"] = str(folder / "home")
        return cls(folder)


def do_job(
    found: Checks,
    place: Place,
    *overrides: str,
    on_progress: Callable[..., None] = lambda **_: None,
) -> Done:
    """Carry out one job; what is given last counts."""
    from hydra import compose, initialize_config_dir

    from frostline.config.conf_files import CONF
    from frostline.config.read import settings_of
    from frostline.sweeps.execute import execute
    from frostline.sweeps.job import Job
    from frostline.sweeps.plan import plan_job
    from frostline.sweeps.preflight import check_jobs
    from frostline.tracking.store import open_store
    from frostline.training.checkpoint import load_checkpoint

    begun = time.perf_counter()
    words = {word.split("=")[0]: word for word in [*sizes(found), *overrides]}
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = settings_of(compose("train", [*words.values(), f"tracking.uri={place.uri}"]))
    (facts,) = check_jobs([settings], on_progress=lambda **_: None)
    planned = plan_job(0, (), settings, facts)
    sweep = planned.settings.sweep.model_copy(update={"job_digest": planned.digest})
    settings = planned.settings.model_copy(update={"sweep": sweep})
    folder = place.folder / f"job-{time.monotonic_ns()}"
    folder.mkdir()
    outcome = execute(Job(settings, folder, env={}), on_progress=on_progress)
    seconds = time.perf_counter() - begun
    store = open_store(place.uri, EXPERIMENT)
    run = store.get_run(outcome.run_id)
    file = store.fetch_artifact(run.run_id, "checkpoints/best.ckpt")
    curves = {
        name: [point.value for point in store.metric_history(run.run_id, name)] for name in METRICS
    }
    return Done(
        run.run_id, dict(run.tags), dict(run.metrics), curves,
        load_checkpoint(file)["state_dict"], seconds,
    )  # fmt: skip


def curve_gap(one: Done, other: Done) -> float:
    """The largest difference of two jobs' metrics in any epoch; infinite if one has more epochs."""
    gaps = [0.0]
    for name, values in one.curves.items():
        if len(values) != len(other.curves[name]):
            return float("inf")
        gaps += [abs(a - b) for a, b in zip(values, other.curves[name], strict=True)]
    return max(gaps)


def weight_gap(one: Done, other: Done) -> float:
    """The largest difference of two jobs' weights, each relative to its tensor's largest value."""
    worst = 0.0
    for name, value in one.weights.items():
        a, b = value.double(), other.weights[name].double()
        worst = max(worst, float((a - b).abs().max() / a.abs().max().clamp_min(1e-12)))
    return worst


def forced_reuse() -> Any:
    """Store features whatever they cost, so that both ways are there to be compared."""
    from frostline.features.cost_model import Decision

    forced = Decision(True, "forced, to compare both ways")
    return mock.patch("frostline.features.fill.decide_from_cost", lambda *_, **__: forced)

"""The jobs whose parts are measured, and the measuring, in a warm process of its own."""

import os
import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.fixed_clock import REST, Clock
from benchmarks.fixed_parts import JOB

TOTAL = "the whole job"


@dataclass(frozen=True)
class Shape:
    """A kind of job.

    Attributes:
        name: As its column is called.
        overrides: Of the command.
    """

    name: str
    overrides: tuple[str, ...]


def _shape(label: str, backbone: str, weights: str, freeze: str, *, augment: str = "none") -> Shape:
    chosen = (f"backbone={backbone}", f"weights={weights}", f"freeze={freeze}")
    chosen += (f"augment={augment}",)
    return Shape(f"{label} `freeze={freeze}`", chosen)


SHAPES = (
    _shape("tiny", "test_resnet", "random", "2"),
    _shape("lite0", "tf_efficientnet_lite0", "pretrained", "all"),
    _shape("lite0", "tf_efficientnet_lite0", "pretrained", "2"),
    _shape("lite0, crops,", "tf_efficientnet_lite0", "pretrained", "2", augment="crop"),
    _shape("resnet18", "resnet18", "random", "all"),
    _shape("resnet18", "resnet18", "random", "2"),
)
SHARED = (
    "data=folder", "data.split_seed=0", "trainer.accelerator=cpu",
    "trainer.precision=32-true", "image_size=96", "epochs=2", "batch_size=32",
)  # fmt: skip


def measured_jobs(
    shape: Shape, images: Path, template: Path, folder: Path, jobs: int
) -> dict[str, list[float]]:
    """Medians of the parts of a job over several jobs, after one that is not counted.

    Args:
        shape: The kind of job.
        images: Folder of images.
        template: An empty store.
        folder: An empty folder.
        jobs: How many count.

    Returns:
        Part to milliseconds on the wall and of the processor.
    """
    from frostline.backbones.shared_cache import shared_cache
    from frostline.sweeps.execute import execute

    for name in ("HOME", "CACHE"):
        os.environ[f"FROSTLINE_{name}"] = str(folder / name.lower())
    shutil.copyfile(template, folder / "mlflow.db")
    os.chdir(folder)
    taken: list[dict[str, list[float]]] = []
    with shared_cache():
        for job in planned_jobs(shape, images, folder, 1 + jobs):
            clock = Clock()
            with clock.watching(JOB), clock.part(REST):
                execute(job, on_progress=lambda **_: None)
            clock.spent[TOTAL] = [sum(each) for each in zip(*clock.spent.values(), strict=True)]
            taken.append(clock.spent)
    names = dict.fromkeys(name for each in taken for name in each)
    return {
        name: [
            statistics.median(each.get(name, [0.0, 0.0])[place] for each in taken[1:])
            for place in range(2)
        ]
        for name in names
    }


def planned_jobs(shape: Shape, images: Path, folder: Path, count: int) -> list[Any]:
    """Jobs that differ in their rate, checked and planned as those of a sweep are."""
    from hydra import compose, initialize_config_dir

    from frostline.config.conf_files import CONF
    from frostline.config.read import settings_of
    from frostline.sweeps.job import Job
    from frostline.sweeps.plan import plan_job
    from frostline.sweeps.preflight import check_jobs

    common = [*SHARED, *shape.overrides, f"data.path={images}", "tracking.experiment=fixed"]
    common.append(f"tracking.uri=sqlite:///{folder / 'mlflow.db'}")
    rates = [1e-3 * (1 + 0.1 * place) for place in range(count)]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = [
            settings_of(compose("train", [*common, f"lr={rate}"], return_hydra_config=True))
            for rate in rates
        ]
    facts = check_jobs(settings, on_progress=lambda **_: None)
    jobs = []
    for place, (one, fact) in enumerate(zip(settings, facts, strict=True)):
        planned = plan_job(place, (), one, fact)
        known = {"job_digest": planned.digest, "sharing": count, **fact.inputs()}
        sweep = planned.settings.sweep.model_copy(update=known)
        own = planned.settings.model_copy(update={"sweep": sweep})
        (folder / str(place)).mkdir()
        jobs.append(Job(own, folder / str(place), {}))
    return jobs

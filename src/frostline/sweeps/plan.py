"""The plan of a sweep: its jobs, each known by a digest of what determines its result."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from frostline.config.data_settings import FileData
from frostline.config.freeze_value import counted
from frostline.config.identity import config_digest, job_digest, tuning_digest
from frostline.config.image_size import size_label
from frostline.config.schema import Settings
from frostline.config.tune_grid import is_tuned

_IN_EVERY_NAME = ("backbone=", "freeze=", "seed=")
_LABEL_CHARS = 150


@dataclass(frozen=True)
class JobFacts:
    """What the preflight found out about a job.

    Attributes:
        data_fingerprint: Digest of the data set.
        split_digest: Digest of which image stands in which split.
        weights_digest: Digest of the weights' file; empty for random ones.
        n_train: Training images.
        prefix_stages: Whole stages that `freeze` freezes from the image on.
        num_stages: Stages of the backbone.
        input_px: Side of its input; of a rectangle such as `96x128`.
        model_bytes: Its parameters and buffers, as a checkpoint holds them, without the head.
        numerics: Device class, precision and kernels that `auto` comes to here.
        libraries: Versions of the libraries that change numbers.
        value_range: What is black and white in images of more than 8 bits; None if there are none.
    """

    data_fingerprint: str
    split_digest: str
    weights_digest: str
    n_train: int
    prefix_stages: int
    num_stages: int
    input_px: int | str
    model_bytes: int
    numerics: str
    libraries: str
    value_range: tuple[float, float] | None = None

    def inputs(self) -> dict[str, str]:
        """The digests that the job compares with what it loads; keys as in `SweepSettings`."""
        return {
            "data_fingerprint": self.data_fingerprint,
            "split_digest": self.split_digest,
            "weights_digest": self.weights_digest,
        }


@dataclass(frozen=True)
class PlannedJob:
    """One job of a sweep.

    Attributes:
        index: Place in the plan, from 0.
        overrides: What Hydra composes it from.
        settings: What they compose to.
        digest: What it is known by; equal digests give equal results.
        facts: What the preflight found out.
    """

    index: int
    overrides: tuple[str, ...]
    settings: Settings
    digest: str
    facts: JobFacts


def plan_job(
    index: int, overrides: tuple[str, ...], settings: Settings, facts: JobFacts
) -> PlannedJob:
    """A job of the plan, its depth counted from the start, with the digest of the result."""
    settings = ready_to_run(settings, facts)
    return PlannedJob(index, overrides, settings, job_digest(settings, facts), facts)


def with_first_seeds(jobs: Sequence[Settings]) -> list[Settings]:
    """The jobs, those that tune with the seed on which their cell chooses: its first in the sweep.

    Args:
        jobs: All jobs of the command, in its order.
    """
    first: dict[str, int] = {}
    ready = []
    for job in jobs:
        tune = job.tune
        if is_tuned(job) and tune.seed is None and not tune.each_seed:
            cell = config_digest(job.model_copy(update={"seed": 0}))
            # Other seeds have other folds: their test images may be among those that chose here.
            own_folds = job.data.folds is not None and job.data.split_seed is None
            seed = job.seed if own_folds else first.setdefault(cell, job.seed)
            job = job.model_copy(update={"tune": tune.model_copy(update={"seed": seed})})
        ready.append(job)
    return ready


def ready_to_run(settings: Settings, facts: JobFacts) -> Settings:
    """A job with its depth counted from the start, and the digest of the choice it depends on."""
    settings = with_value_range(counted_from_start(settings, facts), facts)
    if not is_tuned(settings):
        return settings
    sweep = settings.sweep.model_copy(update={"tuning": tuning_digest(settings, facts)})
    return settings.model_copy(update={"sweep": sweep})


def counted_from_start(settings: Settings, facts: JobFacts) -> Settings:
    """`freeze=-1` and `middle` as the stages that they stand for on this backbone."""
    freeze = counted(settings.freeze, facts.num_stages)
    return settings if freeze == settings.freeze else settings.model_copy(update={"freeze": freeze})


def with_value_range(settings: Settings, facts: JobFacts) -> Settings:
    """The range of deep images in the place of `auto`: later uses of the run read them so, too."""
    if facts.value_range is None or not isinstance(settings.data, FileData):
        return settings
    data = settings.data.model_copy(update={"value_range": list(facts.value_range)})
    return settings.model_copy(update={"data": data})


def common_overrides(jobs: Sequence[PlannedJob]) -> set[str]:
    """Overrides that all jobs have, which therefore do not distinguish them."""
    return set.intersection(*(set(job.overrides) for job in jobs))


def short_word(override: str) -> str:
    """An override as names and lists have it: `image_size=96x128` for `image_size=[96,128]`."""
    sides = re.fullmatch(r"(\+*image_size)=\[\s*(\d+)\s*,\s*(\d+)\s*\]", override)
    return f"{sides[1]}={size_label(int(sides[2]), int(sides[3]))}" if sides else override


def with_distinct_names(jobs: Sequence[PlannedJob]) -> list[PlannedJob]:
    """The jobs, their names with what else differs within the sweep, such as `-lr=0.01`."""
    common = common_overrides(jobs)
    named = []
    for job in jobs:
        own = [each for each in job.overrides if each not in common]
        words = [each.lstrip("+") for each in own if not each.startswith(_IN_EVERY_NAME)]
        label = re.sub(r"[^\w.=,+-]+", "_", "-".join(map(short_word, words)))[:_LABEL_CHARS] or None
        sweep = job.settings.sweep.model_copy(update={"label": label})
        settings = job.settings.model_copy(update={"sweep": sweep})
        named.append(replace(job, settings=settings))
    return named


def merge_duplicates(
    jobs: Sequence[PlannedJob],
) -> tuple[list[PlannedJob], list[tuple[PlannedJob, PlannedJob]]]:
    """Keep the first of the jobs that have one digest.

    Returns:
        The jobs to run, and each one left out beside the one that asks for the same.
    """
    first: dict[str, PlannedJob] = {}
    duplicates = []
    for job in jobs:
        kept = first.setdefault(job.digest, job)
        if kept is not job:
            duplicates.append((job, kept))
    return list(first.values()), duplicates


def sweep_id_of(jobs: Sequence[PlannedJob]) -> str:
    """The id of the sweep with these jobs: the same jobs have the same id."""
    digests = "".join(sorted(job.digest for job in jobs))
    return hashlib.sha256(digests.encode()).hexdigest()[:12]

"""The plan of a sweep: its jobs, each known by a digest of what determines its result."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from frostline.config.identity import job_digest
from frostline.config.schema import Settings

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
        frozen_stages: Depth that `freeze` stands for.
        num_stages: Stages of the backbone.
        input_px: Side of its input.
        model_bytes: Its parameters and buffers, as a checkpoint holds them, without the head.
        numerics: Device class, precision and kernels that `auto` comes to here.
        libraries: Versions of the libraries that change numbers.
    """

    data_fingerprint: str
    split_digest: str
    weights_digest: str
    n_train: int
    frozen_stages: int
    num_stages: int
    input_px: int
    model_bytes: int
    numerics: str
    libraries: str


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


def planned(
    index: int, overrides: tuple[str, ...], settings: Settings, facts: JobFacts
) -> PlannedJob:
    """A job of the plan, its depth counted from the start, with the digest of that."""
    settings = counted_from_start(settings, facts)
    return PlannedJob(index, overrides, settings, job_digest(settings, facts), facts)


def counted_from_start(settings: Settings, facts: JobFacts) -> Settings:
    """`freeze=-1` as the number of stages that it stands for on this backbone."""
    if isinstance(settings.freeze, int) and settings.freeze < 0:
        return settings.model_copy(update={"freeze": facts.frozen_stages})
    return settings


def common_overrides(jobs: Sequence[PlannedJob]) -> set[str]:
    """Overrides that all jobs have, which therefore tell none of them apart."""
    return set.intersection(*(set(job.overrides) for job in jobs))


def with_distinct_names(jobs: Sequence[PlannedJob]) -> list[PlannedJob]:
    """The jobs, their names with whatever else differs within the sweep, such as `-lr=0.01`."""
    common = common_overrides(jobs)
    told = []
    for job in jobs:
        own = [each for each in job.overrides if each not in common]
        words = [each.lstrip("+") for each in own if not each.startswith(_IN_EVERY_NAME)]
        label = re.sub(r"[^\w.=,+-]+", "_", "-".join(words))[:_LABEL_CHARS] or None
        sweep = job.settings.sweep.model_copy(update={"label": label})
        settings = job.settings.model_copy(update={"sweep": sweep})
        told.append(replace(job, settings=settings))
    return told


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

"""What the jobs of a sweep have in common: outputs of frozen stages, and heads trained together."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from frostline.config.freeze_value import listed_stages
from frostline.config.own_part import OwnAugment
from frostline.config.schema import Settings
from frostline.config.tune_grid import is_tuned
from frostline.data.views import FINITE_VIEWS
from frostline.sweeps.plan import PlannedJob
from frostline.training.group_key import group_key, trains_together


@dataclass(frozen=True)
class Sharing:
    """What a job has in common with others of its sweep.

    Attributes:
        jobs: How many jobs, this one included, need the same outputs of the same frozen stages;
            where each epoch has other images one more if deeper jobs continue them.
        group: Name of the group whose heads train together, the candidates of a tuned job among
            them; None for a job that runs alone.
    """

    jobs: int
    group: str | None


def sharing_of(jobs: Sequence[PlannedJob]) -> list[Sharing]:
    """What each of the jobs that will run shares with the others, in their order.

    Args:
        jobs: The jobs that will run now; finished ones share nothing any more.
    """
    prefixes = [_prefix_of(job) for job in jobs]
    groups = [_group_of(job) for job in jobs]
    shared, together = Counter(prefixes), Counter(groups)
    deepest: dict[str, int] = {}
    for job in jobs:
        stages = job.facts.prefix_stages
        deepest[_images_of(job)] = max(stages, deepest.get(_images_of(job), stages))
    # Outputs of finitely many views are stored anyway: there nothing depends on it.
    continued = [
        stores_epochs(job)
        and job.settings.schedule.name == "constant"
        and job.facts.prefix_stages < deepest[_images_of(job)]
        for job in jobs
    ]
    return [
        Sharing(
            1 if prefix is None else shared[prefix] + continues,
            group
            if group is not None and (together[group] > 1 or is_tuned(job.settings))
            else None,
        )
        for job, prefix, group, continues in zip(jobs, prefixes, groups, continued, strict=True)
    ]


def trains_heads_together(job: PlannedJob) -> bool:
    """Whether a job trains a head on stored features, beside others or its own candidates."""
    return _group_of(job) is not None


def stores_epochs(job: PlannedJob) -> bool:
    """Whether a job trains on other images in each epoch, of which it may store the outputs."""
    s = job.settings
    can = _may_store(job) and s.mix.name == "none" and s.trainer.strategy == "single"
    return can and not _is_finite(s) and not isinstance(s.augment, OwnAugment)


def _is_finite(settings: Settings) -> bool:
    return settings.mix.name == "none" and settings.augment.name in FINITE_VIEWS


def _prefix_of(job: PlannedJob) -> str | None:
    """What determines the outputs that a job reads; None if it reads none.

    Two depths of one backbone differ: the deeper continues the shallower's outputs, but each is
    computed and kept for itself.
    """
    s, facts = job.settings, job.facts
    if not _may_store(job):
        return None
    pool = s.head.pool if facts.prefix_stages == facts.num_stages else ""
    # A list with stages above a gap reads what the stages below it give, as their number does.
    prefix = s.freeze if listed_stages(s.freeze) is None else facts.prefix_stages
    return json.dumps([str(prefix), pool, _images_of(job)])


def _may_store(job: PlannedJob) -> bool:
    s = job.settings
    return s.reuse != "off" and job.facts.prefix_stages > 0 and s.frozen_bn == "eval"


def _images_of(job: PlannedJob) -> str:
    """What determines the images on which a job trains, and the backbone that they pass through."""
    s, facts = job.settings, job.facts
    return json.dumps(
        [
            s.backbone,
            # Random weights are drawn from the seed, so each seed has stages of its own.
            f"random {s.seed}" if s.draws_weights else facts.weights_digest,
            s.weights_key,
            facts.data_fingerprint,
            facts.split_digest,
            facts.input_px,
            s.augment.name,
            s.trainer.accelerator,
            s.trainer.precision,
            _may_store(job),
            [] if _is_finite(s) else _epochs_of(s),
        ]
    )


def _epochs_of(settings: Settings) -> list[object]:
    """What determines the images of each epoch where every epoch has others."""
    values = settings.model_dump(mode="json", include={"augment", "mix", "schedule"})
    return [settings.batch_seed, settings.batch_size, settings.data.sampling, values]


def _group_of(job: PlannedJob) -> str | None:
    if not trains_together(job.facts.numerics):
        return None
    key = group_key(
        job.settings,
        prefix_stages=job.facts.prefix_stages,
        num_stages=job.facts.num_stages,
    )
    return None if key is None else hashlib.sha256(key.encode()).hexdigest()[:12]

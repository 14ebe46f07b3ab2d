"""Which jobs of a sweep share frozen stages, and which of them train their heads together."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from frostline.data.finite_views import FINITE_VIEWS
from frostline.sweep.plan import PlannedJob


@dataclass(frozen=True)
class Sharing:
    """What a job has in common with others of its sweep.

    Attributes:
        jobs: How many jobs, this one included, need the same outputs of the same frozen stages.
        group: Name of the group whose heads train together; None for a job that runs alone.
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
    return [
        Sharing(
            1 if prefix is None else shared[prefix],
            group if group is not None and together[group] > 1 else None,
        )
        for prefix, group in zip(prefixes, groups, strict=True)
    ]


def _prefix_of(job: PlannedJob) -> str | None:
    """What determines the outputs that a job reads; None if it reads none.

    Two depths of one backbone differ: the deeper continues the shallower's outputs, but each is
    computed and kept for itself.
    """
    s, facts = job.settings, job.facts
    alone = (
        s.reuse == "off"
        or facts.frozen_stages == 0
        or s.frozen_bn != "eval"
        or s.mix.name != "none"
        or s.augment.name not in FINITE_VIEWS
    )
    if alone:
        return None
    return json.dumps(
        [
            s.backbone,
            # Random weights are drawn from the seed, so each seed has stages of its own.
            f"random {s.seed}" if s.weights == "random" else facts.weights_digest,
            str(s.freeze),
            facts.data_fingerprint,
            facts.split_digest,
            facts.input_px,
            s.augment.name,
            s.head.pool if facts.frozen_stages == facts.num_stages else "",
            s.trainer.accelerator,
            s.trainer.precision,
        ]
    )


def _group_of(job: PlannedJob) -> str | None:
    from frostline.training.group_key import group_key

    key = group_key(
        job.settings,
        frozen_stages=job.facts.frozen_stages,
        num_stages=job.facts.num_stages,
    )
    return None if key is None else hashlib.sha256(key.encode()).hexdigest()[:12]

"""The first job's process: it builds the backbone while another one still checks the data.

Nothing depends on it: what it has built is what the jobs build, and they build it themselves where
it could not.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from frostline.config.freeze_value import LORA
from frostline.config.schema import Settings
from frostline.sweeps.data_check import distinct
from frostline.sweeps.worker_pool import WorkerPool, can_share


@dataclass(frozen=True)
class FirstProcess:
    """Where the jobs of a sweep will be carried out, one after another.

    Attributes:
        pool: Their processes.
        env: Environment variables of them.
    """

    pool: WorkerPool
    env: Mapping[str, str]

    def begin(self, jobs: Sequence[Settings]) -> None:
        """Start the process, unless it is not known yet what it could begin with.

        Args:
            jobs: The jobs of the command, in its order, which are still to be checked.
        """
        first = jobs[0]
        # The user's own code is tried by the checks first; several processes are started anew.
        if first.dry_run or first.own_code is not None or first.trainer.strategy == "ddp":
            return
        same = [job for job in jobs if can_share(first, job) and _model_of(job) == _model_of(first)]
        self.pool.begin(first, self.env, build_ahead, distinct(same, _cut_of))

    def end(self) -> None:
        """End it, as no job is left."""
        self.pool.end()


def _cut_of(settings: Settings) -> tuple[object, ...]:
    """What determines where a backbone is cut, and how."""
    return str(settings.freeze), settings.head.pool, settings.frozen_bn


def _model_of(settings: Settings) -> tuple[object, ...]:
    """What determines a backbone's weights, among jobs that can share a process."""
    s = settings
    return s.weights, s.weights_key, s.weights_partial, s.seed


def build_ahead(jobs: Sequence[Settings]) -> None:
    """Build a backbone as its first job will ask for it, and find its cuts; the process keeps both.

    Args:
        jobs: Jobs at its depths. What is wrong with them, they report themselves.
    """
    from frostline.backbones.weights import are_here
    from frostline.training.assembly import backbone_of
    from frostline.training.engine import prepare_process
    from frostline.training.parts import cut_of

    first = jobs[0]
    with suppress(Exception):
        prepare_process(first.trainer.threads)
        if not are_here(first.backbone, first.weights):
            return
        for job in jobs:
            backbone = backbone_of(job)
            if backbone.as_built is None:  # too large to be kept
                return
            if job.freeze != LORA:
                parts = cut_of(job, backbone, job.freeze, backbone.as_built)
                backbone.digest_as_built(parts.frozen_modules)

"""Jobs that train only a head on the same frozen backbone: one pass, one matrix product for all.

`frostline.training.group_key` says which planned jobs may go together. Each job of the group leaves
what it would have left had it been trained by itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from frostline.backbones.state_digest import digest_of
from frostline.config.schema import Settings
from frostline.config.tune_grid import is_tuned, on_tuning_seed
from frostline.errors import ConfigError
from frostline.running_time import running_s
from frostline.training.assembly import assemble
from frostline.training.engine import choose_engine, prepare_process
from frostline.training.group_key import trains_together
from frostline.training.head_features import HeadFeatures
from frostline.training.head_pool import HeadPool, TrainedHead
from frostline.training.head_tuning import tune_heads
from frostline.training.precision_probe import choose_modes
from frostline.training.task import TrainingDivergedError
from frostline.training.trained_group import GroupMember, HeadGroup
from frostline.training.tuning_choice import Tuning


def train_head_group(
    jobs: Sequence[Settings],
    choices: Mapping[str, Tuning],
    *,
    on_progress: Callable[..., None],
) -> HeadGroup:
    """Train the heads of jobs that have one `group_key`; those that tune choose their values first.

    Args:
        jobs: Their settings.
        choices: What cells have chosen before, by `sweep.tuning`.
        on_progress: Receives `text=` and `done=` (0 to 1, over the whole group).

    Raises:
        ConfigError: If stored features cannot be used here; the jobs can be run one by one.
    """
    begun_s = running_s()
    prepare_process(jobs[0].trainer.threads)
    engine = choose_engine(jobs[0].trainer)
    if not trains_together(f"{engine.accelerator} {engine.precision}"):
        raise ConfigError(f"heads do not train together on {engine.accelerator} {engine.precision}")
    parts = assemble(jobs[0], on_progress)
    # As a job by itself would: on a card the same kernels, and so the same stored features.
    engine, *_ = choose_modes(
        engine,
        parts.cut.prefix,
        nn.Sequential(parts.cut.suffix, parts.head),
        shape=parts.backbone.input.shape,
        batch=jobs[0].batch_size,
        about=f"{parts.backbone.name} frozen to {parts.cut.depth.label}",
    )
    is_needed = any(is_tuned(job) for job in jobs)
    features = HeadFeatures(parts, engine, len(jobs), on_progress, is_needed=is_needed)
    pool = HeadPool(parts, engine, features)
    frozen_before = digest_of(parts.cut.frozen_modules)
    set_up_s = running_s() - begun_s
    cells = _choose(jobs, choices, pool, on_progress)
    members: dict[int, GroupMember] = {}
    waiting: dict[int, Settings] = {}
    for place, job in enumerate(jobs):
        cell = cells.get(job.sweep.tuning or "") if is_tuned(job) else None
        if cell is None:
            waiting[place] = job
        elif cell.tuning is None:
            members[place] = GroupMember(None, failure=cell.failure)
        elif cell.head is not None and cell.head.settings.seed == job.seed:
            members[place] = GroupMember(cell.head, cell.tuning, is_payer=True)
        elif cell.tuning.best.l2 is not None:
            members[place] = _solve_again(pool, job, cell.tuning)
        else:
            waiting[place] = cell.tuning.settings_for(job)
    trained = pool.train(list(waiting.values())) if waiting else []
    for place, head in zip(waiting, trained, strict=True):
        cell = cells.get(jobs[place].sweep.tuning or "")
        members[place] = GroupMember(head, cell.tuning if cell else None)
    on_progress(done=1.0)
    tuned_s = sum(cell.seconds for cell in cells.values())
    return HeadGroup(
        parts=parts,
        engine=engine,
        pool=pool,
        frozen_before=frozen_before,
        members=[members[place] for place in range(len(jobs))],
        seconds=running_s() - begun_s - tuned_s,
        shared_s=set_up_s + pool.features_s,
    )


def _solve_again(pool: HeadPool, job: Settings, tuning: Tuning) -> GroupMember:
    """Solve another seed's head with the penalty that its cell chose."""
    assert tuning.best.l2 is not None
    try:
        solved = pool.solve(tuning.settings_for(job), [tuning.best.l2])
    except TrainingDivergedError as error:
        return GroupMember(None, failure=error)
    if not solved:
        raise ConfigError("the features of one seed can be held, those of another cannot")
    return GroupMember(solved[0][1], tuning)


@dataclass(frozen=True)
class _Cell:
    """What a cell chose: a choice, here or before, or the reason why there is none.

    Attributes:
        tuning: The choice.
        head: The chosen head on the seed of the choice, if it was trained here.
        failure: Why nothing could be chosen.
        seconds: What the choice took here, without the features that all heads read.
    """

    tuning: Tuning | None
    head: TrainedHead | None = None
    failure: TrainingDivergedError | None = None
    seconds: float = 0.0


def _choose(
    jobs: Sequence[Settings],
    choices: Mapping[str, Tuning],
    pool: HeadPool,
    on_progress: Callable[..., None],
) -> dict[str, _Cell]:
    """Choose the values of every cell that has not chosen before; `sweep.tuning` to the choice."""
    cells = {name: _Cell(choice) for name, choice in choices.items()}
    for job in jobs:
        name = job.sweep.tuning or ""
        if not is_tuned(job) or name in cells:
            continue
        begun_s, features_s = running_s(), pool.features_s
        try:
            tuning, head = tune_heads(on_tuning_seed(job), pool, on_progress=on_progress)
        except TrainingDivergedError as error:
            cells[name] = _Cell(None, failure=error)
        else:
            own_s = running_s() - begun_s - (pool.features_s - features_s)
            cells[name] = _Cell(tuning, head, seconds=own_s)
    return cells

"""Which runs started from the same weights, so that means of their weights are a network, too."""

from collections import Counter
from typing import Any

from frostline.config.own_part import OwnPart
from frostline.config.recipe import LinearHead
from frostline.config.recorded_config import recorded_settings
from frostline.config.schema import Settings
from frostline.errors import DataError
from frostline.inference.combine.members import Member, Members
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord
from frostline.tracking.run_contents import read_config


def members_of_one_start(store: Reader, members: Members) -> Members:
    """The runs that started from the weights of the recommended one.

    Raises:
        DataError: If there is no other.
    """
    base = members.base.record
    wanted = _start_of(store, members.base)
    runs, left_out = [], Counter(members.left_out)
    for run in members.runs:
        if _start_of(store, run) == wanted:
            runs.append(run)
        else:
            left_out["another backbone, size or head, or it started from other weights"] += 1
    if len(runs) < 2:
        raise DataError(
            f"best:{members.sweep.name}: no other run of {base.name}'s splits started from its "
            f"weights with its backbone ({wanted[0]}), image size and head",
            "two or more runs of one backbone that differ in depth, rate, augmentation or the like",
            "--ensemble takes runs of any backbones",
        )
    return Members(members.sweep, members.base, runs, left_out)


def _start_of(store: Reader, run: Member) -> tuple[Any, ...]:
    return start_key(recorded_settings(read_config(store, run.record)), run.record)


def start_key(settings: Settings, record: RunRecord) -> tuple[Any, ...]:
    """What two runs must share so that their weights can be averaged: where they started.

    A linear head starts elsewhere with another seed, but its logits are linear in its weights, so
    the mean head gives the mean logits. Hidden units have no order, so an MLP must share the seed.

    Args:
        settings: Of a run.
        record: Of the same run.
    """
    is_linear = isinstance(settings.head, LinearHead)
    needs_seed = not is_linear or isinstance(settings.head, OwnPart) or settings.draws_weights
    return (
        settings.backbone,
        settings.plugins.backbone,
        settings.weights if not settings.is_weights_file else "file",
        record.tags.get("frostline.weights_digest", ""),
        settings.image_size,
        settings.in_chans,
        settings.head.model_dump_json(),
        settings.seed if needs_seed else None,
    )

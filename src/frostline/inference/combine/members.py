"""The runs of a sweep that can be combined: those of the same images in the same splits.

The splits are the trap. Seeds and folds split the data otherwise, so that test images of one run
are training images of another: a combination of both would be tested on what it was trained on.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from frostline.errors import DataError
from frostline.stats.predictions import Predictions
from frostline.tracking.lookup import LATEST, find_run_of_seeds, find_sweep, jobs_of_sweep
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord
from frostline.tracking.run_contents import StoreSource

_BEST = "best:"
_DATA, _SPLITS, _DIGEST = (
    "frostline.data_fingerprint",
    "frostline.split_digest",
    "frostline.job_digest",
)


@dataclass(frozen=True)
class Member:
    """A finished run with what it predicted.

    Attributes:
        record: The run.
        val: For its validation images.
        test: For its test images.
    """

    record: RunRecord
    val: Predictions
    test: Predictions


@dataclass(frozen=True)
class Members:
    """What can be combined in a sweep.

    Attributes:
        sweep: The sweep's own run.
        base: The run that the sweep recommends, one of `runs`.
        runs: All of the same images and splits as that one, the oldest first.
        left_out: Reason to number of runs.
    """

    sweep: RunRecord
    base: Member
    runs: list[Member]
    left_out: Counter[str]

    def notes(self) -> list[str]:
        """What was left out, a line a reason."""
        return [f"left out, {_runs(n)}: {why}" for why, n in self.left_out.items()]


def find_members(store: Reader, run: str) -> Members:
    """Find the runs of a sweep that can be combined with the one that it recommends.

    Args:
        store: Where to look.
        run: `best:SWEEP`.

    Raises:
        DataError: If it names no sweep, or fewer than two runs can be combined.
        TrackingError: If there is no such sweep, or none of its jobs has finished.
    """
    if not run.startswith(_BEST):
        raise DataError(
            f"{run}: runs are combined within a sweep, and compared with the one it recommends",
            f"{_BEST}SWEEP, such as {_BEST}{LATEST}",
        )
    chosen, _ = find_run_of_seeds(store, run)
    sweep = find_sweep(store, run.removeprefix(_BEST))
    source = StoreSource(store)
    base = _member(chosen, source)
    if isinstance(base, str):
        raise DataError(
            f"{chosen.name}, which the sweep recommends: {base}",
            todo="give the command of the sweep again with rerun=true",
        )
    runs: dict[str, Member] = {chosen.tags.get(_DIGEST, chosen.run_id): base}
    left_out: Counter[str] = Counter()
    for record in sorted(jobs_of_sweep(store, sweep.run_id), key=lambda each: each.start_ms):
        if record.run_id == chosen.run_id:
            continue
        key = record.tags.get(_DIGEST, record.run_id)
        found = _why_not(record, chosen) or _member(record, source)
        if not isinstance(found, str) and not _same_images(found, base):
            found = "its predictions are of other images"
        if not isinstance(found, str) and key in runs:
            found = "the same job once more"
        if isinstance(found, str):
            left_out[found] += 1
        else:
            runs[key] = found
    if len(runs) < 2:
        why = "; ".join(f"{_runs(n)}: {why}" for why, n in left_out.items())
        raise DataError(
            f"{run}: {chosen.name} is the only run that could be combined"
            + (f" ({why})" if why else ""),
            "two or more finished runs of the same images in the same splits",
            "sweep over backbones, depths or rates; with data.split_seed=0 all seeds have the "
            "same splits",
        )
    return Members(sweep, base, list(runs.values()), left_out)


def _why_not(record: RunRecord, base: RunRecord) -> str:
    """Why a run cannot be combined with another; empty if nothing is against it."""
    if not record.is_whole:
        return "not trained to the end"
    if not all(tag in one.tags for tag in (_DATA, _SPLITS) for one in (record, base)):
        return "which images and splits they have is not recorded"
    if record.tags.get(_DATA) != base.tags.get(_DATA):
        return "other images, or other labels"
    if record.tags.get(_SPLITS) != base.tags.get(_SPLITS):
        return "other splits: test images of one are training images of another"
    return ""


def _member(record: RunRecord, source: StoreSource) -> Member | str:
    """A run with its predictions, or why it has none that can be used."""
    damage = source.damage(record)
    if damage is not None:
        return f"damaged files: {damage}"
    val, test = (source.predictions(record.run_id, split) for split in ("val", "test"))
    if val is None or test is None or not len(val.items) or not len(test.items):
        return "no predictions for validation and test images"
    return Member(record, val, test)


def _same_images(one: Member, other: Member) -> bool:
    pairs = ((one.val, other.val), (one.test, other.test))
    return all(
        np.array_equal(a.items, b.items)
        and np.array_equal(a.labels, b.labels)
        and a.probs.shape == b.probs.shape
        for a, b in pairs
    )


def _runs(number: int) -> str:
    return f"{number} run{'' if number == 1 else 's'}"

"""Answer a request of `src.advise --quick`, or say why there is no answer."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from frostline.advice.quadrants import MIN_IMAGES
from frostline.advice.quick.answer import QuickAnswer
from frostline.advice.quick.looks import FEWEST_GROUPS
from frostline.advice.quick.quick_session import QuickSession
from frostline.config.data_settings import LeavesData
from frostline.config.schema import Settings
from frostline.data.load import load_table, split_of
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits
from frostline.scratch import ScratchFolder
from frostline.training.engine import prepare_process


def quick_answer(
    jobs: Sequence[Settings],
    overrides: Sequence[str],
    *,
    minutes: float,
    on_progress: Callable[[str], None],
    on_answer: Callable[[QuickAnswer], None] = lambda _: None,
    begun_s: float | None = None,
) -> QuickAnswer:
    """Look at backbones and depths on validation until time is up.

    Args:
        jobs: The same data set with each backbone.
        overrides: What the user gave, for the next commands.
        minutes: In all.
        on_progress: Receives lines of progress.
        on_answer: Receives what is known whenever there is more to it.
        begun_s: When the command began, seconds since 1970; None for now.

    Raises:
        FrostlineError: If the data cannot be read or split, or a backbone cannot be built.
    """
    begun_s = time.time() if begun_s is None else begun_s
    prepare_process(jobs[0].trainer.threads)
    on_progress("reading the images")
    first = jobs[0]
    table = load_table(first.data, in_chans=first.in_chans)
    splits = split_of(table, first.data, seed=first.seed)
    if why_not := _cannot_tell(table, splits):
        return QuickAnswer.without(table, splits, why_not, isinstance(first.data, LeavesData))
    with ScratchFolder("quick") as folder:
        session = QuickSession(
            jobs, table, splits, folder, begun_s, 60 * minutes, overrides, on_progress
        )
        for answer in session.looks_in_turn():
            on_answer(answer)
        return session.answer()


def _cannot_tell(table: SampleTable, splits: Splits) -> str:
    """Why no table is worth anything here; empty if it is."""
    if len(splits.train) < MIN_IMAGES:
        return (
            f"{len(splits.train)} training images: no comparison on so few says anything "
            f"({MIN_IMAGES} at least)"
        )
    groups = len(np.unique(table.groups[splits.val]))
    if groups < FEWEST_GROUPS:
        return (
            f"the {len(splits.val)} validation images are of {groups} groups, and an interval "
            f"needs {FEWEST_GROUPS} at least"
        )
    return ""

"""One quick answer in the making: what is looked at, in which order, until time is up.

1. The solved head of each backbone (`freeze=all`), at the question's size: the first table.
2. For the backbone ahead there, the last stage, all stages, and a depth between them, each at its
   own rate, at the largest size at which these fit into the time.
3. The same for the next backbones, then the depths that are left.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from frostline.advice.choose import split_seed_of
from frostline.advice.quadrants import MIN_IMAGES
from frostline.advice.quick.answer import QuickAnswer, Skipped
from frostline.advice.quick.costs import side_that_fits
from frostline.advice.quick.looking import CANDIDATES, Looker, at_size
from frostline.advice.quick.looks import ALL, Look
from frostline.advice.quick.prepared_backbone import (
    SEEDS,
    Pace,
    PreparedBackbone,
    prepare,
    sweep_seconds,
)
from frostline.advice.quick.quick_rows import rows_of
from frostline.advice.request import sweep_command
from frostline.config.data_settings import LeavesData
from frostline.config.schema import Settings
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits, keep_fraction
from frostline.errors import DeadlineError
from frostline.training.task import TrainingDivergedError

# Of the time: kept for the table; what the heads may take before stages are trained.
LAST_S, HEADS_FRAC = 5.0, 0.5
# What the first head may take, so that there is a table within a minute.
FIRST_HEAD_S = 35.0
# What is expected of a look is rarely exact: so much of the time left is given away at most.
SAFETY = 0.8


class QuickSession:
    """Looks at backbones and depths, and knows at any time what they say.

    Args:
        jobs: The same data set with each backbone.
        table: The images.
        splits: Training and validation rows; no test rows.
        folder: For files that nobody needs afterwards.
        begun_s: When the command began, seconds since 1970.
        budget_s: Seconds in all.
        overrides: What the user gave, for the next commands.
        on_progress: Receives lines of progress.
    """

    def __init__(
        self,
        jobs: Sequence[Settings],
        table: SampleTable,
        splits: Splits,
        folder: Path,
        begun_s: float,
        budget_s: float,
        overrides: Sequence[str],
        on_progress: Callable[[str], None],
    ) -> None:
        self._table, self._jobs, self._overrides = table, jobs, overrides
        self._begun_s, self._end_s = begun_s, begun_s + budget_s - LAST_S
        self._budget_s = budget_s
        self._on_progress = on_progress
        self._looks: list[Look] = []
        self._skipped: list[Skipped] = []
        self._whole = splits
        self._fraction = 1.0
        self._pace = Pace()
        self._say("preparing the backbones")
        self._prepared = {jobs[0].backbone: prepare(jobs[0], splits)}
        self._splits = self._part_of(splits)
        self._looker = Looker(table, self._splits, folder, self._say)

    def looks_in_turn(self) -> Iterator[QuickAnswer]:
        """Look at one cell after another; yields after each that adds to the answer."""
        for place, job in enumerate(self._jobs):
            one = self._prepared.get(job.backbone) or prepare(job, self._whole)
            self._prepared[job.backbone] = one
            needs_s = self._head_s(one, one.own_px)
            spent_s = time.time() - self._begun_s
            if place and spent_s + needs_s > HEADS_FRAC * self._budget_s:
                self._skip(job.backbone, [ALL, *one.depths], needs_s)
                continue
            self._say(f"{job.backbone} freeze=all: features at {one.own_px} px, head solved")
            self._looks.append(self._looker.head(job, at_own_size=True))
            yield self.answer()
        order = list(dict.fromkeys(row.backbone for row in rows_of(self._looks)))
        looked = [self._prepared[name] for name in order]
        for depths in (slice(3), slice(3, None)):
            for one in looked:
                yield from self._train(one, one.depths[depths], self._side(one))

    def answer(self) -> QuickAnswer:
        """What is known so far."""
        rows = rows_of(self._looks)
        names = [job.backbone for job in self._jobs]
        depths = {name: [ALL, *one.depths] for name, one in self._prepared.items()}
        every = sorted({d for each in depths.values() for d in each}, key=lambda d: (d == ALL, d))
        close = [row for row in rows if not row.is_behind]
        close_names = list(dict.fromkeys(row.backbone for row in close))
        close_depths = [d for d in every if any(row.freeze == d for row in close)]
        own = [text for text in self._overrides if text.partition("=")[0] != "seed"]
        command = sweep_command(own, names, every, SEEDS)
        close_command = sweep_command(own, close_names, close_depths, SEEDS)
        is_question = len(close) > 1 and close_command != command
        return QuickAnswer(
            data=self._table.name,
            drawn=isinstance(self._jobs[0].data, LeavesData),
            n_train=len(self._splits.train),
            n_val=len(self._splits.val),
            n_groups=len(np.unique(self._table.groups[self._splits.val])),
            fraction=self._fraction,
            rows=tuple(rows),
            skipped=tuple(self._skipped),
            why_not="",
            seconds=time.time() - self._begun_s,
            command=command,
            command_s=sweep_seconds(self._prepared, names, every, self._pace.factor),
            close_command=close_command if is_question else "",
            close_s=sweep_seconds(self._prepared, close_names, close_depths, self._pace.factor),
        )

    def _train(
        self, one: PreparedBackbone, depths: Sequence[str], side: int
    ) -> Iterator[QuickAnswer]:
        """Look at depths of a backbone at one size, with its solved head there for comparison."""
        is_own = side == one.own_px
        job = one.job if is_own else at_size(one.job, side)
        name = one.job.backbone
        has_head = any(
            look.backbone == name and look.freeze == ALL and look.at_own_size == is_own
            for look in self._looks
        )
        for freeze in depths:
            needs_s = self._run_s(one, freeze, side)
            if not has_head:
                needs_s += self._head_s(one, side)
            if time.time() + needs_s > self._end_s:
                self._skip(name, [freeze], needs_s)
                continue
            if not has_head:
                self._say(f"{name} freeze=all at {side} px, to compare with")
                self._looks.append(self._looker.head(job, at_own_size=False))
                has_head = True
            self._say(f"{name} freeze={freeze} at {side} px")
            try:
                look = self._looker.run(job, freeze, at_own_size=is_own, until_s=self._end_s)
            except DeadlineError:
                self._skip(name, [freeze], needs_s)
                continue
            except TrainingDivergedError:
                self._skipped.append(Skipped(name, freeze, "it diverged at all rates"))
                continue
            self._pace.add(one.costs_on(self._splits, 1.0).run_s(freeze, side**2, CANDIDATES),
                           look.seconds)  # fmt: skip
            self._looks.append(look)
            yield self.answer()

    def _side(self, one: PreparedBackbone) -> int:
        """At which size the depths of a backbone are looked at: one for all of them.

        That of an earlier look at it; else the one at which the first depths fit into what is left.
        """
        name = one.job.backbone
        for look in self._looks:
            if look.backbone == name and look.freeze != ALL:
                return one.own_px if look.at_own_size else int(look.size_px)
        if one.least_px is None:
            return one.own_px
        left_s = SAFETY * (self._end_s - time.time())
        costs = one.costs_on(self._splits, self._pace.factor)
        return side_that_fits(costs, one.depths[:3], one.own_px, left_s, CANDIDATES, one.least_px)

    def _run_s(self, one: PreparedBackbone, freeze: str, side: int) -> float:
        costs = one.costs_on(self._splits, self._pace.factor)
        return costs.run_s(freeze, side**2, CANDIDATES)

    def _head_s(self, one: PreparedBackbone, side: int) -> float:
        return one.costs_on(self._splits, self._pace.factor).head_s(side**2)

    def _part_of(self, splits: Splits) -> Splits:
        """All images, or as large a part of them as leaves a table within a minute."""
        one = self._prepared[self._jobs[0].backbone]
        needs_s = one.costs.head_s(one.own_px**2)
        none = np.empty(0, dtype=np.int64)
        if needs_s <= FIRST_HEAD_S:
            return Splits(splits.train, splits.val, none)
        seed, table = split_seed_of(self._jobs[0]), self._table
        self._fraction = max(FIRST_HEAD_S / needs_s, MIN_IMAGES / len(splits.train))
        train = keep_fraction(table, splits.train, fraction=self._fraction, seed=seed)
        val = keep_fraction(table, splits.val, fraction=self._fraction, seed=seed)
        return Splits(train, val, none)

    def _skip(self, backbone: str, depths: Sequence[str], needs_s: float) -> None:
        for freeze in depths:
            self._skipped.append(Skipped(backbone, freeze, "no time", needs_s))

    def _say(self, text: str) -> None:
        self._on_progress(f"{time.time() - self._begun_s:4.0f} s  {text}")

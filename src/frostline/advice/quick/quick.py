"""Answer a request of `src.advise --quick`: what to look at, in which order, until time is up.

1. The solved head of each backbone (`freeze=all`), at the question's size: the first table.
2. For the backbone ahead there, the last stage, all stages, and a depth between them, each at its
   own rate, at the largest size at which these fit into the time.
3. The same for the next backbones, then the depths that are left, as long as time is left.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frostline.advice.choose import split_seed_of
from frostline.advice.quadrants import MIN_IMAGES
from frostline.advice.quick.answer import QuickAnswer, Skipped
from frostline.advice.quick.costs import Costs, side_that_fits
from frostline.advice.quick.looking import (
    CANDIDATES,
    Looker,
    at_size,
    first_part_of,
    least_side,
    step_seconds,
)
from frostline.advice.quick.looks import ALL, FEWEST_GROUPS, Look, rows_of
from frostline.advice.request import sweep_command
from frostline.backbones.backbone import Backbone
from frostline.backbones.pristine import backbone_of_job
from frostline.config.data_settings import LeavesData
from frostline.config.schema import Settings
from frostline.data.augmentations import FINITE_VIEWS
from frostline.data.load import load_table, split_of
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits, keep_fraction
from frostline.errors import DeadlineError
from frostline.training.engine import choose_engine, prepare_process
from frostline.training.task import TrainingDivergedError

# Of the time: kept for the table; what the heads may take before stages are trained.
LAST_S, HEADS_FRAC = 5.0, 0.5
# What the first head may take, so that there is a table within a minute.
FIRST_HEAD_S = 35.0
# What is expected of a look is rarely exact: so much of the time left is given away at most.
SAFETY = 0.8
SEEDS = (0, 1, 2)


@dataclass
class _Backbone:
    """A backbone with what looks at it cost.

    Attributes:
        job: At the question's size.
        costs: Of its runs.
        own_px: Side at the question's size, the root of the area of a rectangle.
        least_px: The smallest side at which it can be looked at; None if at its own alone.
        depths: Values of `freeze` that train stages, those that say most first.
    """

    job: Settings
    costs: Costs
    own_px: int
    least_px: int | None
    depths: list[str]


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
    with tempfile.TemporaryDirectory(prefix="frostline-quick-") as folder:
        session = _Session(
            jobs, table, splits, Path(folder), begun_s, 60 * minutes, overrides, on_progress
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


class _Session:
    """One answer in the making."""

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
        self._say("preparing the backbones")
        self._expected_s = self._took_s = 0.0
        self._backbones = {jobs[0].backbone: self._prepared(jobs[0])}
        self._splits = self._part_of(splits)
        self._looker = Looker(table, self._splits, folder, self._say)

    def looks_in_turn(self) -> Iterator[QuickAnswer]:
        """Look at one cell after another; yields after each that adds to the answer."""
        for place, job in enumerate(self._jobs):
            one = self._backbones.setdefault(job.backbone, self._prepared(job))
            needs_s = self._costs(one).head_s(one.own_px**2)
            spent_s = time.time() - self._begun_s
            if place and spent_s + needs_s > HEADS_FRAC * self._budget_s:
                self._skip(job.backbone, [ALL, *one.depths], needs_s)
                continue
            self._say(f"{job.backbone} freeze=all: features at {one.own_px} px, head solved")
            self._looks.append(self._looker.head(job, at_own_size=True))
            yield self.answer()
        order = list(dict.fromkeys(row.backbone for row in rows_of(self._looks)))
        looked = [self._backbones[name] for name in order]
        for one in looked:
            if (side := self._side(one)) is not None:
                yield from self._train(one, one.depths[:3], side)
        for one in looked:
            if (side := self._side(one)) is not None:
                yield from self._train(one, one.depths[3:], side)

    def answer(self) -> QuickAnswer:
        """What is known so far."""
        rows = rows_of(self._looks)
        names = [job.backbone for job in self._jobs]
        depths = {name: [ALL, *one.depths] for name, one in self._backbones.items()}
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
            command_s=self._sweep_s(names, every),
            close_command=close_command if is_question else "",
            close_s=self._sweep_s(close_names, close_depths),
        )

    def _train(self, one: _Backbone, depths: Sequence[str], side: int) -> Iterator[QuickAnswer]:
        """Look at depths of a backbone at one size, with its solved head there for comparison."""
        is_own = side == one.own_px
        job = one.job if is_own else at_size(one.job, side)
        name = one.job.backbone
        has_head = any(
            look.backbone == name and look.freeze == ALL and look.at_own_size == is_own
            for look in self._looks
        )
        for freeze in depths:
            needs_s = self._costs(one).run_s(freeze, side**2, CANDIDATES)
            if not has_head:
                needs_s += self._costs(one).head_s(side**2)
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
            self._expected_s += one.costs.run_s(freeze, side**2, CANDIDATES)
            self._took_s += look.seconds
            self._looks.append(look)
            yield self.answer()

    def _side(self, one: _Backbone) -> int | None:
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
        return side_that_fits(
            self._costs(one), one.depths[:3], one.own_px, left_s, CANDIDATES, one.least_px
        )

    def _prepared(self, job: Settings) -> _Backbone:
        backbone = backbone_of_job(
            job.backbone,
            weights=job.weights,
            image_size=job.image_size,
            seed=job.seed,
            in_chans=job.in_chans,
            weights_key=job.weights_key,
            weights_partial=job.weights_partial,
        )
        stages = backbone.depth(ALL).num_stages
        depths = _by_worth(stages)
        height, width = backbone.input.shape[1:]
        return _Backbone(
            job,
            Costs(
                step_seconds(backbone, choose_engine(job.trainer).accelerator),
                _frozen(backbone, depths),
                len(self._whole.train),
                len(self._whole.val),
                FINITE_VIEWS[job.augment.name],
                job.epochs,
                first_part_of(job, len(self._whole.train)),
            ),
            round((height * width) ** 0.5),
            least_side(backbone) if height == width else None,
            depths,
        )

    def _costs(self, one: _Backbone) -> Costs:
        """Costs on the images that are looked at, corrected by what looks took."""
        factor = self._took_s / self._expected_s if self._expected_s else 1.0
        splits = self._splits
        return Costs(
            one.costs.step_s * max(factor, 0.2),
            one.costs.frozen,
            len(splits.train),
            len(splits.val),
            one.costs.views,
            one.costs.epochs,
            first_part_of(one.job, len(splits.train)),
        )

    def _part_of(self, splits: Splits) -> Splits:
        """All images, or as large a part of them as leaves a table within a minute."""
        one = self._backbones[self._jobs[0].backbone]
        needs_s = one.costs.head_s(one.own_px**2)
        none = np.empty(0, dtype=np.int64)
        if needs_s <= FIRST_HEAD_S:
            return Splits(splits.train, splits.val, none)
        seed, table = split_seed_of(self._jobs[0]), self._table
        self._fraction = max(FIRST_HEAD_S / needs_s, MIN_IMAGES / len(splits.train))
        train = keep_fraction(table, splits.train, fraction=self._fraction, seed=seed)
        val = keep_fraction(table, splits.val, fraction=self._fraction, seed=seed)
        return Splits(train, val, none)

    def _sweep_s(self, names: Sequence[str], depths: Sequence[str]) -> float:
        """About how long the sweep over these takes, with all images."""
        factor = self._took_s / self._expected_s if self._expected_s else 1.0
        known = [self._backbones[name] for name in names if name in self._backbones]
        total_s = 0.0
        for one in known:
            pixels = one.own_px**2
            for freeze in depths:
                if freeze == ALL:
                    total_s += one.costs.head_s(pixels)
                elif freeze in one.costs.frozen:
                    tuned = one.costs.run_s(freeze, pixels, one.job.tune.candidates)
                    total_s += tuned + (len(SEEDS) - 1) * one.costs.run_s(freeze, pixels, 1)
        return factor * total_s * (len(names) / max(1, len(known)))

    def _skip(self, backbone: str, depths: Sequence[str], needs_s: float) -> None:
        for freeze in depths:
            self._skipped.append(Skipped(backbone, freeze, "no time", needs_s))

    def _say(self, text: str) -> None:
        self._on_progress(f"{time.time() - self._begun_s:4.0f} s  {text}")


def _by_worth(stages: int) -> list[str]:
    """Depths that train stages: the last one alone, all of them, half; then what is left."""
    order = [stages - 1, 0, (stages - 1) // 2, *range(stages - 2, 0, -1)]
    return [str(depth) for depth in dict.fromkeys(order) if 0 <= depth < stages]


def _frozen(backbone: Backbone, depths: Sequence[str]) -> dict[str, float]:
    return {freeze: backbone.depth(int(freeze)).frozen_flops_frac for freeze in depths}

"""Advice on a data set: size, scores, quadrant, strategy, hints and the sweep to run next."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from frostline.advice.choose import Choice, decide, split_seed_of
from frostline.advice.measures.measurement import Measured, Size, size_of
from frostline.advice.measures.measurement_cache import cached_measure
from frostline.advice.prior import Regrets, prior_regrets, recorded_prior
from frostline.advice.quadrants import NEIGHBOURS, objections_to, reason_and_source, too_few
from frostline.advice.ranking import (
    PUBLISHED,
    RankedBackbone,
    Reliability,
    rank_backbones,
    rank_depths,
    reliabilities,
)
from frostline.advice.request import next_command
from frostline.advice.similarity import references_for
from frostline.config.data_settings import LeavesData
from frostline.config.image_size import Sides, sides_of, size_label
from frostline.config.schema import Settings
from frostline.data.checks.findings import Finding

WITHOUT_CHOICE = ("small_similar", "small_different", "head_then_all")


@dataclass(frozen=True)
class Advice:
    """Everything that `src.advise` reports.

    Attributes:
        data: Name of the data set.
        drawn: Whether its images are the built-in drawings.
        classes: Class names with their numbers of images.
        size: Of the training split; of all images if there are too few to split.
        command: The sweep to run next.
        path: Where the data set is, as `src.data` takes it.
        why_no_strategy: Why no strategy is proposed; empty if one is.
        findings: What the data checks found.
        choices: One for each backbone, the one that names the strategy first; empty if nothing was
            measured.
        at_size: Scores by depth at the requested image size, one for each backbone; those of
            `choices` if no size was requested.
        reason: Of the strategy, from its config file.
        source: Of the strategy, from its config file.
        objections: Findings that contradict the strategy.
        backbones: A ranking.
        depths: Backbone to values of `freeze`, the most promising first.
        depth_measure: The score that ranks the depths.
        reliability: How well such rankings held in our study; empty before it was run.
        prior: Backbone to depths with the points that each is expected to cost, by recorded sweeps
            of other data; empty where these are not surely better than one depth for all.
    """

    data: str
    drawn: bool
    classes: dict[str, int]
    size: Size
    command: str
    path: str
    why_no_strategy: str = ""
    findings: tuple[Finding, ...] = ()
    choices: tuple[Choice, ...] = ()
    at_size: tuple[Measured, ...] = ()
    reason: str = ""
    source: str = ""
    objections: tuple[str, ...] = ()
    backbones: tuple[RankedBackbone, ...] = ()
    depths: dict[str, list[str]] = field(default_factory=dict)
    depth_measure: str = ""
    reliability: tuple[Reliability, ...] = ()
    prior: dict[str, Regrets] = field(default_factory=dict)

    @property
    def strategy(self) -> str | None:
        """The proposed strategy, if any."""
        quadrant = self.choices[0].quadrant if self.choices else None
        return None if quadrant is None else quadrant.name

    def plain(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {
            "data": self.data,
            "drawn": self.drawn,
            "classes": self.classes,
            "findings": [asdict(finding) for finding in self.findings],
            "size": asdict(self.size),
            "strategy": self.strategy,
            "cannot_tell": self.why_no_strategy,
            "reason": self.reason,
            "source": self.source,
            "objections": list(self.objections),
            "choices": [choice.plain() for choice in self.choices],
            "scores_at_image_size": [measured.plain() for measured in self.at_size],
            "hint": {
                "backbones": [asdict(ranked) for ranked in self.backbones],
                "depths": self.depths,
                "depths_ranked_by": self.depth_measure,
                "reliability": [asdict(one) for one in self.reliability],
                "published": PUBLISHED,
                "prior": self.prior,
            },
            "next": self.command,
        }


def advise(
    jobs: Sequence[Settings], overrides: Sequence[str], *, on_progress: Callable[[str], None]
) -> Advice:
    """Measure the training split of a data set with each backbone, and propose a strategy.

    Args:
        jobs: The same data set with each backbone.
        overrides: What the user gave, for the next command.
        on_progress: Receives lines of progress.

    Raises:
        FrostlineError: If the data cannot be read or split, or a backbone cannot be built.
    """
    import numpy as np

    from frostline.data.checks.cached_checks import cached_checks
    from frostline.data.load import load_table, split_of

    first = jobs[0]
    on_progress("reading the images")
    table = load_table(first.data)
    drawn = isinstance(first.data, LeavesData)
    path = "leaves" if isinstance(first.data, LeavesData) else first.data.path
    if why_not := too_few(len(table)):
        names = [job.backbone for job in jobs]
        return Advice(
            data=table.name,
            drawn=drawn,
            classes=table.counts(),
            size=size_of(table, np.arange(len(table))),
            command=next_command(overrides, names, ",".join(WITHOUT_CHOICE)),
            path=path,
            why_no_strategy=why_not.replace("training images", "images in all"),
        )
    splits = split_of(table, first.data, seed=first.seed)
    on_progress("checking the data")
    findings = cached_checks(table, splits, probing=True).findings
    choices, at_size = [], []
    for job in jobs:

        def measure_at(image_size: Sides | None, job: Settings = job) -> Measured:
            return cached_measure(
                table,
                splits.train,
                backbone=job.backbone,
                weights=job.weights,
                weights_key=job.weights_key,
                weights_partial=job.weights_partial,
                image_size=image_size,
                seed=split_seed_of(first),
                on_progress=lambda text: on_progress(f"measuring with {text}"),
            )

        at_own_size = measure_at(None)
        choices.append(decide(at_own_size))
        asked = job.image_size
        is_own_size = asked is None or size_label(*sides_of(asked)) == at_own_size.image_size_px
        at_size.append(at_own_size if is_own_size else measure_at(job.image_size))
    choices.sort(key=_preference)
    best = choices[0]
    strategy = None if best.quadrant is None else best.quadrant.name
    reason, source = reason_and_source(strategy) if strategy else ("", "")
    ranked = rank_backbones(at_size)
    reliability = reliabilities()
    measure = reliability[0].measure if reliability else "knn"
    tied = [one.backbone for one in ranked if one.tied]
    return Advice(
        data=table.name,
        drawn=drawn,
        classes=table.counts(),
        size=best.measured.size,
        command=next_command(overrides, tied, ",".join(_strategies_to_compare(best))),
        path=path,
        why_no_strategy="" if strategy else best.why_not,
        findings=findings,
        choices=tuple(choices),
        at_size=tuple(at_size),
        reason=reason,
        source=source,
        objections=objections_to(strategy) if strategy else (),
        backbones=tuple(ranked),
        depths={one.backbone: rank_depths(one.stages, measure) for one in at_size},
        depth_measure=measure,
        reliability=tuple(reliability),
        prior=prior_regrets(at_size, recorded_prior()),
    )


def _preference(choice: Choice) -> tuple[bool, bool]:
    """Sort choices with a quadrant first, and of these the ones with reference points of theirs."""
    _, caveat = references_for(choice.measured.backbone, choice.measured.weights_digest)
    return choice.quadrant is None, bool(caveat)


def _strategies_to_compare(choice: Choice) -> tuple[str, ...]:
    """The proposed strategy, the one across the nearest border, and head_then_all."""
    quadrant = choice.quadrant
    if quadrant is None:
        return WITHOUT_CHOICE
    across_similarity, across_size = NEIGHBOURS[quadrant.name]
    is_similarity_nearer = abs(quadrant.similarity_distance) <= abs(quadrant.size_distance)
    nearest = across_similarity if is_similarity_nearer else across_size
    return quadrant.name, nearest, "head_then_all"

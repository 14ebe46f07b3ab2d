"""Advice: what the data is, its scores, its quadrant, the strategy, hints, the next command."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from frostline.advice.choose import Choice, cached_measure, decide
from frostline.advice.measure import Measured, Size, size_of
from frostline.advice.objections import objections_to
from frostline.advice.quadrants import too_few
from frostline.advice.ranking import (
    PUBLISHED,
    RankedBackbone,
    Reliability,
    rank_backbones,
    rank_depths,
    reliabilities,
)
from frostline.advice.references import references_for
from frostline.advice.request import next_command
from frostline.config.data_settings import LeavesData
from frostline.config.location import CONF
from frostline.config.schema import Settings
from frostline.data.checks.findings import Finding

NEIGHBOURS = {
    "large_similar": ("large_different", "small_similar"),
    "large_different": ("large_similar", "small_different"),
    "small_similar": ("small_different", "large_similar"),
    "small_different": ("small_similar", "large_different"),
}


@dataclass(frozen=True)
class Advice:
    """Everything that `src.advise` says.

    Attributes:
        data: Name of the data set.
        drawn: Whether its images are the built-in drawings.
        classes: Class names with their numbers of images.
        findings: What the checks of the data found.
        size: Of the training split; of all images where nothing could be split.
        choices: One for each backbone, the ruler of the quadrant first; empty if nothing was
            measured.
        at_size: Scores by depth at the image size asked for, one for each backbone; the same as in
            `choices` where none was asked for.
        reason: Of the strategy, as its file has it.
        source: Of the strategy, as its file has it.
        objections: What speaks against it.
        backbones: A ranking.
        depths: Backbone to values of `freeze`, the most promising first.
        depth_measure: What the depths are ranked by.
        reliability: How well such rankings held in our study; empty before it was run.
        command: The sweep to run next.
        cannot_tell: Why there is no quadrant; empty if there is one.
    """

    data: str
    drawn: bool
    classes: dict[str, int]
    findings: tuple[Finding, ...]
    size: Size
    choices: tuple[Choice, ...]
    at_size: tuple[Measured, ...]
    reason: str
    source: str
    objections: tuple[str, ...]
    backbones: tuple[RankedBackbone, ...]
    depths: dict[str, list[str]]
    depth_measure: str
    reliability: tuple[Reliability, ...]
    command: str
    cannot_tell: str

    @property
    def strategy(self) -> str | None:
        """The proposed strategy; None if that cannot be told."""
        quadrant = self.choices[0].quadrant if self.choices else None
        return None if quadrant is None else quadrant.name

    def plain(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        from dataclasses import asdict

        return {
            "data": self.data,
            "drawn": self.drawn,
            "classes": self.classes,
            "findings": [asdict(finding) for finding in self.findings],
            "size": asdict(self.size),
            "strategy": self.strategy,
            "cannot_tell": self.cannot_tell,
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
            },
            "next": self.command,
        }


def advise(
    jobs: Sequence[Settings], overrides: Sequence[str], *, on_progress: Callable[[str], None]
) -> Advice:
    """Look at a data set, measure its training split with each backbone, and say what to try.

    Args:
        jobs: The same data set with each backbone.
        overrides: What the person gave, for the next command.
        on_progress: Receives lines of progress.

    Raises:
        FrostlineError: If the data cannot be read or split, or a backbone cannot be had.
    """
    import numpy as np

    from frostline.data.checks.cached_checks import cached_checks
    from frostline.data.load import load_table, split_of

    first = jobs[0]
    on_progress("reading the images")
    table = load_table(first.data)
    names = [job.backbone for job in jobs]
    drawn = isinstance(first.data, LeavesData)
    if why_not := too_few(len(table)):
        size = size_of(table, np.arange(len(table)))
        command = next_command(overrides, names, "small_similar,small_different,head_then_all")
        return Advice(
            data=table.name,
            drawn=drawn,
            classes=table.counts(),
            findings=(),
            size=size,
            choices=(),
            at_size=(),
            reason="",
            source="",
            objections=(),
            backbones=(),
            depths={},
            depth_measure="",
            reliability=(),
            command=command,
            cannot_tell=why_not.replace("training images", "images in all"),
        )
    splits = split_of(table, first.data, seed=first.seed)
    on_progress("checking the data")
    findings = cached_checks(table, splits, probing=True).findings
    seed = first.seed if first.data.split_seed is None else first.data.split_seed
    choices, at_size = [], []
    for job in jobs:

        def kept(image_size: int | None, job: Settings = job) -> Measured:
            return cached_measure(
                table,
                splits.train,
                backbone=job.backbone,
                weights=job.weights,
                image_size=image_size,
                seed=seed,
                on_progress=lambda text: on_progress(f"measuring with {text}"),
            )

        own = kept(None)
        choices.append(decide(own))
        same = job.image_size in {None, own.image_size_px}
        at_size.append(own if same else kept(job.image_size))
    choices.sort(key=_standing)
    best = choices[0]
    strategy = best.quadrant.name if best.quadrant is not None else None
    about = _file_of(strategy) if strategy else {"reason": "", "source": ""}
    ranked = rank_backbones(at_size)
    found = reliabilities()
    measure = found[0].measure if found else "knn"
    tied = [one.backbone for one in ranked if one.tied]
    command = next_command(overrides, tied, ",".join(_to_try(best)))
    return Advice(
        data=table.name,
        drawn=drawn,
        classes=table.counts(),
        findings=findings,
        size=best.measured.size,
        choices=tuple(choices),
        at_size=tuple(at_size),
        reason=about["reason"],
        source=about["source"],
        objections=objections_to(strategy) if strategy else (),
        backbones=tuple(ranked),
        depths={one.backbone: rank_depths(one.stages, measure) for one in at_size},
        depth_measure=measure,
        reliability=tuple(found),
        command=command,
        cannot_tell="" if best.quadrant is not None else best.why_not,
    )


def _standing(choice: Choice) -> tuple[bool, bool, int]:
    """A ruler with reference points of its own first, then any with a classifier."""
    own = not references_for(choice.measured.backbone, choice.measured.weights_digest)[1]
    return choice.quadrant is None, not own, 0


def _to_try(choice: Choice) -> list[str]:
    """The proposed strategy, the one across the nearest border, and the critics' variant."""
    quadrant = choice.quadrant
    if quadrant is None:
        return ["small_similar", "small_different", "head_then_all"]
    across_similarity, across_size = NEIGHBOURS[quadrant.name]
    nearer = abs(quadrant.similarity_distance) <= abs(quadrant.size_distance)
    return [quadrant.name, across_similarity if nearer else across_size, "head_then_all"]


def _file_of(strategy: str) -> dict[str, str]:
    """Reason and source of a strategy, as its file has them."""
    import yaml

    text = (CONF / "strategy" / f"{strategy}.yaml").read_text(encoding="utf-8")
    content: dict[str, str] = yaml.safe_load(text)["strategy"]
    return content

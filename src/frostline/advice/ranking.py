"""Rank backbones and depths by scores alone: a hint, with how well such hints held in a study."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.advice.measures.measurement import Measured, StageScore

# Written by `python -m experiments.tools.quadrants`, from recorded runs.
RELIABILITY = Path(__file__).with_name("reliability.json")
BASELINE = "most_trainable_first"
MEASURES = ("probe", "knn", "logme")
PUBLISHED = (
    "over backbones, published rank correlations are .57 for LogME and .91 for a list ordered by "
    "model size (arXiv:2510.06448); nearest neighbours are a sound cheap predictor "
    "(arXiv:2503.18528)"
)


@dataclass(frozen=True)
class Reliability:
    """How well a score ranked the depths in the study.

    Attributes:
        measure: `probe`, `knn`, `logme` or `most_trainable_first`.
        tau: Mean rank correlation (Kendall) with the accuracy on the test images.
        low: Lower end of its 95 % interval.
        high: Upper end.
        cells: Number of rankings that it is the mean of.
    """

    measure: str
    tau: float
    low: float
    high: float
    cells: int


@dataclass(frozen=True)
class RankedBackbone:
    """A backbone with the score of its features.

    Attributes:
        backbone: Its name.
        knn: Macro accuracy of nearest neighbours on its last features.
        half_width: Half of a 95 % interval of it.
        tied: Whether its interval overlaps with that of the first one.
    """

    backbone: str
    knn: float
    half_width: float
    tied: bool


def rank_backbones(all_measured: Sequence[Measured]) -> list[RankedBackbone]:
    """Rank backbones by nearest neighbours on their last features, the best first.

    Source:
        arXiv:2503.18528 for kNN as the score.
    """
    ordered = sorted(all_measured, key=lambda one: -one.stages[-1].knn)
    best = ordered[0].stages[-1]
    return [
        RankedBackbone(
            one.backbone,
            one.stages[-1].knn,
            one.stages[-1].half_width,
            best.knn - one.stages[-1].knn <= best.half_width + one.stages[-1].half_width,
        )
        for one in ordered
    ]


def freeze_of(score: StageScore, num_stages: int) -> str:
    """Return the value of `freeze` that freezes everything up to the scored stage."""
    return "all" if score.stage == num_stages else str(score.stage)


def rank_depths(stages: Sequence[StageScore], measure: str) -> list[str]:
    """Rank the values of `freeze`, the most promising first.

    Args:
        stages: Scores of stage 0 (the image) to S.
        measure: One of `MEASURES`: the depth whose frozen features score best comes first; or
            `most_trainable_first`: the less is frozen the better, without looking at scores.
    """
    last = stages[-1].stage
    if measure == BASELINE:
        return [freeze_of(one, last) for one in stages]
    ordered = sorted(stages, key=lambda one: (-float(getattr(one, measure)), one.stage))
    return [freeze_of(one, last) for one in ordered]


def reliabilities(file: Path = RELIABILITY) -> list[Reliability]:
    """Read the results of the study, the best ranking first; empty if it has not been run."""
    if not file.is_file():
        return []
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    rankings = [Reliability(**entry) for entry in content["rankings"]]
    return sorted(rankings, key=lambda one: -one.tau)

"""Which depth to try first, by recorded sweeps of other data sets: a prior, where it helps.

A case is a sweep over depths with one backbone: how large its data were, how much a head on frozen
features recognised, and by how much each depth was behind the one that the sweep took. Rules
predict these regrets for new data. Whether one by features beats the constant choice is measured
with one data set left out (`python -m experiments.tools.corpus_prior`), and only then is it used.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import log10
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.advice.measures.measurement import Measured

# Written by `python -m experiments.tools.corpus_prior`, from recorded runs.
PRIOR = Path(__file__).with_name("prior.json")
CONSTANT = "constant"
# Of the kernel, in standard deviations of the features over the cases.
BANDWIDTH = 0.5

Regrets = dict[str, float]


@dataclass(frozen=True)
class DataFeatures:
    """What is known of a data set before any sweep.

    Attributes:
        n_train: Training images.
        classes: Number of classes.
        frozen: Accuracy of a linear head on frozen features, 0 to 1.
    """

    n_train: int
    classes: int
    frozen: float

    def values(self, *, with_frozen: bool = True) -> NDArray[np.float64]:
        """Numbers of which differences mean something: sizes as logarithms."""
        chance = 1 / self.classes
        size = [log10(self.n_train), log10(self.n_train / self.classes)]
        return np.array([*size, *([(self.frozen - chance) / (1 - chance)] * with_frozen)])


@dataclass(frozen=True)
class Case:
    """A recorded sweep over depths with one backbone and recipe.

    Attributes:
        data: Name of the data set.
        features: Of its data.
        regrets: Depth to points of test F1 by which it is behind what the sweep took; below 0
            where it is ahead.
    """

    data: str
    features: DataFeatures
    regrets: Regrets


@dataclass(frozen=True)
class Judged:
    """What a rule cost with one data set left out.

    Attributes:
        rule: Its name.
        regret: Mean over data sets, points of test F1.
        most: Of the data set on which it is largest.
        gain: By how much it is better than the constant choice, mean over data sets.
        low: Lower end of a 95 % interval of that, with all rules by features looked at.
        high: Upper end.
    """

    rule: str
    regret: float
    most: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class Prior:
    """The cases, and which rule is used.

    Attributes:
        cases: All of them.
        judged: Rules with their regrets.
        used: One of `RULES`, if it is surely better than the constant choice; else `CONSTANT`.
    """

    cases: tuple[Case, ...]
    judged: tuple[Judged, ...]
    used: str

    @property
    def sets(self) -> int:
        """Number of data sets."""
        return len({case.data for case in self.cases})

    def regrets(self, features: DataFeatures) -> Regrets:
        """What each depth is expected to cost, the least first."""
        rule = RULES.get(self.used)
        found = constant(self.cases) if rule is None else rule(self.cases, features)
        return dict(sorted(found.items(), key=lambda pair: pair[1]))

    def of(self, rule: str) -> Judged:
        """What was measured of a rule."""
        return next(one for one in self.judged if one.rule == rule)

    def plain(self) -> dict[str, Any]:
        """As plain values, for a file."""
        return {
            "used": self.used,
            "judged": [asdict(one) for one in self.judged],
            "cases": [asdict(one) for one in self.cases],
        }

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> "Prior":
        """From what `plain` returned."""
        cases = [
            Case(one["data"], DataFeatures(**one["features"]), one["regrets"])
            for one in content["cases"]
        ]
        judged = tuple(Judged(**one) for one in content["judged"])
        return cls(tuple(cases), judged, content["used"])


def recorded_prior(file: Path = PRIOR) -> Prior | None:
    """What was measured; None before it was."""
    if not file.is_file():
        return None
    return Prior.from_plain(json.loads(file.read_text(encoding="utf-8")))


def prior_regrets(measured: Sequence[Measured], prior: Prior | None) -> dict[str, Regrets]:
    """What each depth of each backbone is expected to cost; empty where no prior is used.

    Args:
        measured: Of the data set with each backbone.
        prior: As recorded.
    """
    if prior is None or prior.used == CONSTANT:
        return {}
    return {
        one.backbone: prior.regrets(
            DataFeatures(one.size.images, one.size.classes, one.stages[-1].probe)
        )
        for one in measured
    }


def constant(cases: Sequence[Case]) -> Regrets:
    """The mean regret of each depth; each data set counts alike, however many cases it has."""
    return weighted(cases, np.ones(len(cases)), by_set=True)


def nearest(cases: Sequence[Case], features: DataFeatures, *, k: int, with_frozen: bool) -> Regrets:
    """The mean regret of each depth in the k cases whose data are most alike."""
    order = np.argsort(_distances(cases, features, with_frozen=with_frozen), kind="stable")[:k]
    chosen = [cases[place] for place in order.tolist()]
    return weighted(chosen, np.ones(len(chosen)))


def alike(cases: Sequence[Case], features: DataFeatures, *, with_frozen: bool) -> Regrets:
    """The mean regret of each depth, in which cases count by how alike their data are."""
    distances = _distances(cases, features, with_frozen=with_frozen)
    return weighted(cases, np.exp(-0.5 * (distances / BANDWIDTH) ** 2) + 1e-6)


def weighted(
    cases: Sequence[Case], weights: NDArray[np.float64], *, by_set: bool = False
) -> Regrets:
    """Weighted mean regrets of the depths that all data sets of the cases have.

    Args:
        cases: One or more.
        weights: (N), above 0.
        by_set: First the mean of each data set, then over these.
    """
    sets = {case.data for case in cases}
    regrets: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for case, weight in zip(cases, weights.tolist(), strict=True):
        for depth, regret in case.regrets.items():
            regrets[depth][case.data if by_set else ""].append((regret, weight))
    return {
        depth: fmean(_mean(each) for each in by_name.values())
        for depth, by_name in regrets.items()
        if sets == {case.data for case in cases if depth in case.regrets}
    }


RULES: dict[str, Callable[[Sequence[Case], DataFeatures], Regrets]] = {
    "the nearest, by size": partial(nearest, k=1, with_frozen=False),
    "the nearest, by size and frozen features": partial(nearest, k=1, with_frozen=True),
    "three nearest, by size and frozen features": partial(nearest, k=3, with_frozen=True),
    "all, weighted by size": partial(alike, with_frozen=False),
    "all, weighted by size and frozen features": partial(alike, with_frozen=True),
}


def _mean(pairs: Sequence[tuple[float, float]]) -> float:
    return sum(value * weight for value, weight in pairs) / sum(weight for _, weight in pairs)


def _distances(
    cases: Sequence[Case], features: DataFeatures, *, with_frozen: bool
) -> NDArray[np.float64]:
    """Of each case's data from given ones, (N), in standard deviations over the cases."""
    known = np.array([case.features.values(with_frozen=with_frozen) for case in cases])
    scale = np.maximum(known.std(axis=0), 1e-9)
    offsets = (known - features.values(with_frozen=with_frozen)) / scale
    return np.asarray(np.sqrt((offsets**2).mean(axis=1)), dtype=np.float64)

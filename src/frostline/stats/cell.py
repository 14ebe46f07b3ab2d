"""A cell: the figures of runs that differ in their seed only."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

TRAIN_S = "time/train_s"
TUNE_S = "time/tune_s"
# What a job would have taken without those that shared its training; older runs lack it.
ALONE_S = "time/alone_s"


@dataclass(frozen=True)
class Cell:
    """Runs of one configuration that differ in their seed only.

    Attributes:
        name: What distinguishes it from the other cells, such as `resnet50 freeze=2`.
        params: The configuration, without seed and derived values.
        facts: Derived values, such as `trainable_params`, as text.
        run_ids: The run of each seed, in the order of the seeds.
        metrics: The last metrics of each seed's run, in the same order.
        optimism: By how much its mean score is too high, as it is the best of several rates.
    """

    name: str
    params: Mapping[str, str]
    facts: Mapping[str, str]
    run_ids: Mapping[str, str]
    metrics: Mapping[str, Mapping[str, float]]
    optimism: float = 0.0

    def values(self, metric: str) -> list[float]:
        """A metric of each seed that has a finite one."""
        values = [metrics[metric] for metrics in self.metrics.values() if metric in metrics]
        return [value for value in values if np.isfinite(value)]

    def mean(self, metric: str) -> float:
        """Mean over seeds; NaN where no seed has it."""
        values = self.values(metric)
        return float(np.mean(values)) if values else float("nan")

    def total(self, metric: str) -> float:
        """Sum over seeds; NaN where no seed has it."""
        values = self.values(metric)
        return float(np.sum(values)) if values else float("nan")

    @property
    def paid_s(self) -> float:
        """Mean seconds that this sweep paid for a run, tuning included; NaN without times.

        Where heads were trained together, a run's share of their time.
        """
        return self.mean(TRAIN_S) + self._tuning_s

    @property
    def alone_s(self) -> float:
        """Mean seconds that a run takes when it is trained alone, tuning included; NaN without."""
        own = [m.get(ALONE_S, m.get(TRAIN_S, float("nan"))) for m in self.metrics.values()]
        finite = [value for value in own if np.isfinite(value)]
        return float(np.mean(finite)) + self._tuning_s if finite else float("nan")

    @property
    def next_seed_s(self) -> float:
        """Mean seconds of one more seed, which reads what was tuned; NaN where unknown."""
        return self.alone_s - self._tuning_s

    @property
    def _tuning_s(self) -> float:
        return self.total(TUNE_S) / len(self.run_ids) if self.values(TUNE_S) else 0.0

    def number(self, fact: str) -> float:
        """A derived value as a number; NaN where it is missing."""
        try:
            return float(self.facts[fact])
        except (KeyError, ValueError):
            return float("nan")


def value_order(text: str) -> tuple[int, float, str]:
    """Sort key for values of a parameter: numbers by value, then text, `all` last."""
    try:
        return 0, float(text), ""
    except ValueError:
        return (2, 0.0, text) if text == "all" else (1, 0.0, text)

"""A cell: the figures of runs that differ in their seed only."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

TRAIN_S = "time/train_s"
TUNE_S = "time/tune_s"


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
    def run_s(self) -> float:
        """Mean seconds of a run, with those that tuning took; NaN where no time is recorded."""
        tuning = self.total(TUNE_S) / len(self.run_ids) if self.values(TUNE_S) else 0.0
        return self.mean(TRAIN_S) + tuning

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

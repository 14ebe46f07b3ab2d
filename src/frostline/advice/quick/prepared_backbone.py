"""A backbone before it is looked at: its depths, its sizes, and what looks and sweeps will take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from frostline.advice.quick.costs import Costs
from frostline.advice.quick.looking import first_part_of
from frostline.advice.quick.looks import ALL
from frostline.advice.quick.step_time import least_side, step_seconds
from frostline.backbones.backbone import Backbone
from frostline.config.schema import Settings
from frostline.data.splits import Splits
from frostline.data.views import FINITE_VIEWS
from frostline.training.assembly import backbone_of
from frostline.training.engine import choose_engine

SEEDS = (0, 1, 2)  # of the sweeps that are proposed
# A measured step is taken for no less than so much of it, however fast looks were.
_LEAST_FACTOR = 0.2


@dataclass(frozen=True)
class PreparedBackbone:
    """A backbone with what looks at it cost.

    Attributes:
        job: At the question's size.
        costs: Of its runs, on all images.
        own_px: Side at the question's size, the root of the area of a rectangle.
        least_px: The smallest side at which it can be looked at; None if at its own alone.
        depths: Values of `freeze` that train stages, those that say most first.
    """

    job: Settings
    costs: Costs
    own_px: int
    least_px: int | None
    depths: list[str]

    def costs_on(self, splits: Splits, factor: float) -> Costs:
        """Costs on some of the images, where looks take `factor` times what is expected."""
        n_train = len(splits.train)
        return replace(
            self.costs,
            step_s=self.costs.step_s * max(factor, _LEAST_FACTOR),
            n_train=n_train,
            n_val=len(splits.val),
            first_part=first_part_of(self.job, n_train),
        )


@dataclass
class Pace:
    """How long looks take against what was expected of them, seconds."""

    expected_s: float = 0.0
    took_s: float = 0.0

    def add(self, expected_s: float, took_s: float) -> None:
        """Count one more look."""
        self.expected_s += expected_s
        self.took_s += took_s

    @property
    def factor(self) -> float:
        """1 before there was any look."""
        return self.took_s / self.expected_s if self.expected_s else 1.0


def prepare(job: Settings, splits: Splits) -> PreparedBackbone:
    """Build a backbone and measure a step of it.

    Args:
        job: At the question's size.
        splits: All images.

    Raises:
        FrostlineError: If it cannot be built.
    """
    backbone = backbone_of(job)
    depths = depths_by_worth(backbone.depth(ALL).num_stages)
    height, width = backbone.input.shape[1:]
    n_train = len(splits.train)
    costs = Costs(
        step_seconds(backbone, choose_engine(job.trainer).accelerator),
        _frozen(backbone, depths),
        n_train,
        len(splits.val),
        FINITE_VIEWS[job.augment.name],
        job.epochs,
        first_part_of(job, n_train),
    )
    least_px = least_side(backbone) if height == width else None
    return PreparedBackbone(job, costs, round((height * width) ** 0.5), least_px, depths)


def depths_by_worth(stages: int) -> list[str]:
    """Depths that train stages: the last one alone, all of them, half; then what is left."""
    order = [stages - 1, 0, (stages - 1) // 2, *range(stages - 2, 0, -1)]
    return [str(depth) for depth in dict.fromkeys(order) if 0 <= depth < stages]


def sweep_seconds(
    prepared: Mapping[str, PreparedBackbone],
    names: Sequence[str],
    depths: Sequence[str],
    factor: float,
) -> float:
    """About how long a sweep over these takes, with all images and `SEEDS`.

    Args:
        prepared: By name; the others count as these do on average.
        names: Of the sweep's backbones.
        depths: Its values of `freeze`.
        factor: How much longer looks took than expected.
    """
    known = [prepared[name] for name in names if name in prepared]
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


def _frozen(backbone: Backbone, depths: Sequence[str]) -> dict[str, float]:
    return {freeze: backbone.depth(int(freeze)).frozen_flops_frac for freeze in depths}

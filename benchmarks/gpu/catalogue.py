"""The parts, in the order in which they run: what each is for and how long it may take."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from benchmarks.gpu.checks import Checks


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        name: As `--only` takes it.
        module: Of `benchmarks.gpu`, where `part_NAME` is.
        seconds: That it may take on a card; on a CPU four times as long.
        alone: Whether nothing else may run beside it, since it measures or fills the card.
    """

    name: str
    module: str
    seconds: int
    alone: bool = False

    def function(self) -> Callable[[Checks], None]:
        """What carries it out."""
        module = import_module(f"benchmarks.gpu.{self.module}")
        found: Callable[[Checks], None] = getattr(module, f"part_{self.name}")
        return found


PARTS = (
    Part("card", "card", 60),
    Part("depths", "training", 150),
    Part("recipes", "training", 120),
    Part("heads", "training", 120),
    Part("reuse", "exactness", 120),
    Part("repeat", "exactness", 120),
    Part("trunk", "training", 150),
    Part("leak", "memory", 70),
    Part("ddp", "processes", 140),
    Part("elsewhere", "elsewhere", 110),
    Part("oom", "memory", 60, alone=True),
    Part("shared", "processes", 90, alone=True),
    Part("sweeps", "sweeps", 240, alone=True),
)

"""By which rules configurations are compared; the defaults of the report and of the sweep."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """How to compare.

    Attributes:
        score: One of `frostline.stats.scores.SCORES`. Macro first: under imbalance plain accuracy
            flatters whoever answers with the largest class.
        level: Confidence, such as 0.95.
        equivalence: Differences up to this do not matter, as a share of 1.
        max_tested: At most this many cells, best first, are tested against the top.
    """

    score: str = "f1_macro"
    level: float = 0.95
    equivalence: float = 0.005
    max_tested: int = 40

    @property
    def metric(self) -> str:
        """The logged metric that cells are ranked by."""
        return f"val_best/{self.score}"

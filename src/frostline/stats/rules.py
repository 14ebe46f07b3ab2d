"""By which rules configurations are compared, and their defaults in the report and in a sweep."""

from dataclasses import dataclass
from typing import Literal, get_args

Score = Literal["f1_macro", "acc_macro", "acc_micro"]
SCORES: tuple[str, ...] = get_args(Score)
SCORE_NAMES = {
    "f1_macro": "macro F1 (mean F1 of the classes)",
    "acc_macro": "macro accuracy (mean recall of the classes)",
    "acc_micro": "accuracy",
}
SHORT_SCORE_NAMES = {"f1_macro": "macro F1", "acc_macro": "macro accuracy", "acc_micro": "accuracy"}


@dataclass(frozen=True)
class Rules:
    """How to compare.

    Attributes:
        score: One of `SCORES`. Macro F1 by default: under imbalance plain accuracy flatters a model
            that predicts the largest class.
        level: Confidence, such as 0.95.
        equivalence: Differences up to this do not matter, as a share of 1.
        max_tested: At most this many cells, best first, are tested against the top.
        tolerance: A cheaper cell may have an expected loss this much above the smallest one, as a
            share of 1.
    """

    score: str = "f1_macro"
    level: float = 0.95
    equivalence: float = 0.005
    max_tested: int = 40
    tolerance: float = 0.01

    @property
    def metric(self) -> str:
        """The logged metric that cells are ranked by."""
        return f"val_best/{self.score}"


DEFAULT_RULES = Rules()

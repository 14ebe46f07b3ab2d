"""What was looked at: one cell on validation."""

from dataclasses import dataclass

from frostline.stats.predictions import Predictions

SCORE = "f1_macro"
LEVEL = 0.95
ALL = "all"
# A standard error from fewer groups than this is a guess itself.
FEWEST_GROUPS = 10


@dataclass(frozen=True)
class Look:
    """One cell that was looked at.

    Attributes:
        backbone: Its name.
        freeze: Its depth: `0` .. or `all`.
        size_px: Side of its images; of rectangles such as `96x128`.
        at_own_size: Whether that is the size that the question asks for.
        predictions: For the validation images.
        how: `solved` or `lr 0.0016, 6 epochs`.
        seconds: What it took.
    """

    backbone: str
    freeze: str
    size_px: str
    at_own_size: bool
    predictions: Predictions
    how: str
    seconds: float

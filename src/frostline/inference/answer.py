"""The answer for one image file."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """The most probable classes of one image file.

    Attributes:
        path: The file.
        top: Indices of the most probable classes, in descending order.
        probs: Their probabilities.
        error: Why the file could not be read; empty otherwise.
    """

    path: Path
    top: tuple[int, ...]
    probs: tuple[float, ...]
    error: str = ""

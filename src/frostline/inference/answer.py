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
        members: Indices of the classes in its set, the most probable first; empty if no sets were
            asked for.
        unlike: Whether it is unlike the training images; None if that is not known.
    """

    path: Path
    top: tuple[int, ...]
    probs: tuple[float, ...]
    error: str = ""
    members: tuple[int, ...] = ()
    unlike: bool | None = None

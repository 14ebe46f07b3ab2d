"""The size of a sweep: images of the data set, and epochs of each job."""

import argparse
import re
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Size:
    """Images and epochs."""

    images: int
    epochs: int

    @property
    def key(self) -> str:
        """As on the command line, such as 1000x5."""
        return f"{self.images}x{self.epochs}"

    @property
    def text(self) -> str:
        """As in tables, such as `1,000 x 5`."""
        return f"{self.images:,} x {self.epochs}"


FEWEST = 50  # fewer leave classes without an image to test on


def sizes_of(text: str) -> list[Size]:
    """The sizes of a command line: `300x2,1000x5`.

    Raises:
        argparse.ArgumentTypeError: If it says something else.
    """
    found = []
    for word in text.split(","):
        match = re.fullmatch(r"(\d+)x(\d+)", word.strip())
        if match is None or int(match[1]) < FEWEST or int(match[2]) < 1:
            raise argparse.ArgumentTypeError(
                f"{word!r} is no size; give images x epochs, such as 300x2,1000x5, with at least "
                f"{FEWEST} images and 1 epoch"
            )
        found.append(Size(int(match[1]), int(match[2])))
    return list(dict.fromkeys(found))

"""One range of values for all images of a data set that have more than 8 bits.

A range guessed for each image by itself would make a scene brighter or darker by its brightest
pixel. So the scan of all images decides once, or the user does (`data.value_range`).
"""

from collections.abc import Sequence

from frostline.data.deep_pixels import ValueRange, guessed_range, is_deep
from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import ImageFacts
from frostline.errors import DataError

_BITS = (8, 10, 12, 14, 16, 24, 31)
# A float above this is no share with a few hot pixels, but a value of 0 .. 255.
_HOT = 2.0


def range_of(facts: ImageFacts, given: Sequence[float] | None) -> ValueRange | None:
    """The range for a data set; None where no image has more than 8 bits.

    Args:
        facts: Of all its images.
        given: The user's choice: what becomes black and white; None: by the images.

    Raises:
        DataError: If integers and floats are mixed, whose values cannot be of one range.
    """
    deep = [row for row, mode in enumerate(facts.modes) if is_deep(mode)]
    if not deep:
        return None
    if given is not None:
        return float(given[0]), float(given[1])
    n_floats = sum(facts.modes[row].startswith("F") for row in deep)
    if 0 < n_floats < len(deep):
        raise DataError(
            f"{len(deep) - n_floats} images have integers of more than 8 bits, {n_floats} have "
            "floats: which values are black and white cannot be seen",
            "images of one kind, or data.value_range=[LOW,HIGH]",
        )
    low, high = min(facts.lows[row] for row in deep), max(facts.highs[row] for row in deep)
    return _of_floats(low, high) if n_floats else _of_integers(low, high)


def _of_integers(low: float, high: float) -> ValueRange:
    """The smallest usual number of bits that holds all values."""
    if low < 0:
        return low, max(high, low + 1)
    return 0.0, next((float(2**bits - 1) for bits in _BITS if high <= 2**bits - 1), high)


def _of_floats(low: float, high: float) -> ValueRange:
    if low >= -1 and high <= 1:
        return (0.0 if low >= 0 else -1.0), 1.0
    if low >= 0 and _HOT < high <= 255:
        return 0.0, 255.0
    return min(low, 0.0), max(high, low + 1)


def reading_text(facts: ImageFacts, value_range: ValueRange | None) -> str:
    """What of the range belongs to the data set's fingerprint.

    Empty where each image by itself would be read so: such data sets keep the fingerprint that they
    had when a range was guessed for each image.
    """
    own = {
        guessed_range(mode, facts.highs[row])
        for row, mode in enumerate(facts.modes)
        if is_deep(mode)
    }
    return "" if value_range is None or own == {value_range} else f"values {value_range}"


def note_range(
    notes: ReadingNotes, facts: ImageFacts, value_range: ValueRange | None, *, was_given: bool
) -> None:
    """Say how deep images are read."""
    if value_range is None:
        return
    deep = [row for row, mode in enumerate(facts.modes) if is_deep(mode)]
    low, high = min(facts.lows[row] for row in deep), max(facts.highs[row] for row in deep)
    how = "data.value_range" if was_given else "by the values of all; other: data.value_range"
    notes.add(
        f"{len(deep)} images have more than 8 bits (values {low:g} .. {high:g}): in all of them "
        f"{value_range[0]:g} is black and {value_range[1]:g} is white ({how})"
    )

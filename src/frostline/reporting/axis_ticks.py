"""Where an axis has its marks, and what stands there: few enough for a phone, each number whole."""

import math

# More do not fit side by side on a phone.
MAX_MARKS = 6
_STEPS = (1, 2, 5)
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def log_marks(low: float, high: float) -> list[float]:
    """Marks of a logarithmic axis: 1, 2, 5, 10 ..., or powers of ten where these are too many.

    Args:
        low: The smallest value drawn, above 0.
        high: The largest.

    Returns:
        Up to `MAX_MARKS` numbers within the range; where fewer than two are, also those around it.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    fine = [step * 10.0**power for power in range(first, last + 1) for step in _STEPS]
    inner = _around(fine, low, high)
    if len(inner) <= MAX_MARKS:
        return inner
    powers = [10.0**power for power in range(first, last + 1)]
    return _around(powers[:: math.ceil(len(powers) / MAX_MARKS)], low, high)


def whole_step(n: int) -> int:
    """The distance of marks on an axis that counts to `n`: 1, 2, 5, 10, 20 ..."""
    for power in range(len(str(n)) + 1):
        for step in _STEPS:
            if n <= MAX_MARKS * step * 10**power:
                return int(step * 10**power)
    raise AssertionError(n)


def short_number(value: float) -> str:
    """A mark as text: 0.5, 20, 2k, 5M."""
    for size, unit in _UNITS:
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _around(marks: list[float], low: float, high: float) -> list[float]:
    """The marks within a range, and those next to it where fewer than two are within."""
    within = [mark for mark in marks if low <= mark <= high]
    if len(within) >= 2:
        return within
    below = max((mark for mark in marks if mark < low), default=low)
    above = min((mark for mark in marks if mark > high), default=high)
    return [below, *within, above]

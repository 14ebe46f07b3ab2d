"""Numbers as a person reads them: shares, differences, durations, amounts."""


def percent(value: float) -> str:
    """A share in percent, one decimal: `91.2 %`."""
    return f"{100 * value:.1f} %"


def whole_percent(value: float) -> str:
    """A level: `95 %`."""
    return f"{100 * value:g} %"


def points(value: float) -> str:
    """A difference without its sign: `0.5 points`."""
    text = f"{100 * abs(value):.1f}"
    return f"{text} point" if text == "1.0" else f"{text} points"


def signed(value: float) -> str:
    """A difference in points with its sign: `−1.2`."""
    return f"{100 * value:+.1f}".replace("-", "−")


def seconds(value: float) -> str:
    """A duration: `0.42 s`, `37 s`, `12 min`, `3.4 h`."""
    if value < 10:
        return f"{value:.2g} s"
    if value < 120:
        return f"{value:.0f} s"
    if value < 600:
        return f"{value / 60:.1f} min"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def times(value: float) -> str:
    """A factor, at least 1.1: `1.4`, `12`."""
    return f"{value:.0f}" if value >= 10 else f"{max(value, 1.1):.1f}"


def amount(value: float) -> str:
    """A count: `9.0 million`, `40,000`."""
    return f"{value / 1e6:.1f} million" if value >= 1e6 else f"{value:,.0f}"

"""An evaluation as text for a terminal."""

from collections.abc import Iterator

from frostline.inference.evaluation import Evaluation


def evaluation_lines(done: Evaluation) -> Iterator[str]:
    """Yield figures with their logged values and intervals, then the cost, line by line."""
    yield f"{done.run} on {done.where}: {done.n_images} images of {done.n_groups} groups"
    yield from (f"  {note}" for note in done.notes)
    has_logged = bool(done.logged)
    yield f"{'':12}{'now':>12}{'logged':>12}{'':4}95 % interval"
    # In the order of the intervals, macro first; the loss has no interval and comes last.
    for name in sorted(done.figures, key=[*done.intervals, *done.figures].index):
        value = done.figures[name]
        logged = f"{done.logged[name]:>12.6f}" if has_logged else f"{'-':>12}"
        low, high = done.intervals.get(name, (float("nan"), float("nan")))
        interval = f"{low:.4f} .. {high:.4f}" if name in done.intervals else ""
        yield f"{name:12}{value:>12.6f}{logged}{'':4}{interval}".rstrip()
    if has_logged:
        yield (
            "the same as logged, to the last digit"
            if done.largest_difference == 0
            else f"differs from the logged figures by at most {done.largest_difference:.2g}"
        )
    for name, value in done.cost.items():
        yield f"{name:34}{value:,.4g}" if abs(value) < 10_000 else f"{name:34}{value:,.0f}"

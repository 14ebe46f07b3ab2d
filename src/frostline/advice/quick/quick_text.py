"""The quick answer in words for the terminal."""

from collections.abc import Iterator, Sequence

from frostline.advice.quick.answer import QuickAnswer, Skipped, recorded_regret
from frostline.advice.quick.costs import rounded_minutes
from frostline.advice.quick.looks import LEVEL
from frostline.advice.quick.quick_rows import Row, proposed
from frostline.invocation import as_called

_HEADER = ("backbone", "freeze", "val F1", f"{LEVEL:.0%} interval", "at px", "over all", "", "how")


def table_lines(answer: QuickAnswer) -> Iterator[str]:
    """The table, best first."""
    cells = [_HEADER, *(_cells(row, number) for number, row in enumerate(answer.rows))]
    widths = [max(len(line[place]) for line in cells) for place in range(len(_HEADER))]
    for line in cells:
        yield "  ".join(
            text.ljust(width) for text, width in zip(line, widths, strict=True)
        ).rstrip()


def answer_lines(answer: QuickAnswer) -> Iterator[str]:
    """The whole answer."""
    if answer.why_not:
        yield f"{answer.data}: cannot tell: {answer.why_not}"
        return
    yield from head_lines(answer)
    yield ""
    yield from table_lines(answer)
    yield ""
    yield from notes(answer)
    yield ""
    yield f"The full question ({rounded_minutes(answer.command_s)}, estimated):"
    yield f"  {answer.command}"
    if answer.close_command:
        yield f"Only what is not behind ({rounded_minutes(answer.close_s)}, estimated):"
        yield f"  {answer.close_command}"


def head_lines(answer: QuickAnswer) -> Iterator[str]:
    """What was looked at, and on which images."""
    of = "" if answer.fraction == 1 else f" ({answer.fraction:.0%} of those there are)"
    yield (
        f"{answer.data}: a quick look, {answer.seconds:.0f} s, {answer.n_train:,} training and "
        f"{answer.n_val:,} validation images{of}; no test image was used"
    )


def notes(answer: QuickAnswer) -> Iterator[str]:
    """How sure this is, in sentences."""
    best = proposed(answer.rows)
    close = [row for row in answer.rows if not row.is_behind and row is not best]
    yield f"Try first: backbone={best.backbone} freeze={best.freeze}."
    if best is not answer.rows[0]:
        yield (
            "It is the highest of those measured at full size; none that is projected (*) is "
            "surely above it, and gains with fewer pixels are too high as a rule."
        )
    if close:
        named = ", ".join(f"{row.backbone} freeze={row.freeze}" for row in close)
        other = "it" if best is answer.rows[0] else "the highest row"
        images = f"{answer.n_val:,} validation images"
        yield f"Cannot be distinguished from {other} by {images}: {named}."
    elif len(answer.rows) > 1:
        yield "Everything else that was looked at is behind it on these images."
    else:
        yield "Nothing else was looked at: give it more time, --minutes 10."
    chosen = f", and the highest of {len(answer.rows)} is too high by chance"
    yield (
        "This is a first look with one seed, not a proof: intervals are of these validation "
        f"images alone{chosen if len(answer.rows) > 1 else ''}."
    )
    if any(row.projected for row in answer.rows):
        yield (
            "Depths that train stages were looked at with fewer pixels; their score is that of the "
            "solved head at full size plus what they gain over it at those pixels."
        )
    if answer.fraction < 1:
        yield (
            "Only a part of the images was looked at: with more of them, training more stages "
            "gains as a rule."
        )
    if answer.skipped:
        yield f"Not looked at: {skipped_text(answer.skipped)}."
    known = recorded_regret()
    if known is not None:
        yield as_called(
            f"Measured on {known.sets} small data sets, one backbone, time enough for its depths: "
            "test F1 of what the full sweep takes minus that of what such an answer proposes is "
            f"{known.mean:+.1f} points on average, {known.most:+.1f} on the worst (docs/quick.md)."
        )


def skipped_text(skipped: Sequence[Skipped]) -> str:
    """Such as `resnet50 freeze=0, 2 (no time)`."""
    depths: dict[tuple[str, str], list[str]] = {}
    for one in skipped:
        depths.setdefault((one.backbone, one.why), []).append(one.freeze)
    return "; ".join(
        f"{name} freeze={','.join(dict.fromkeys(each))} ({why})"
        for (name, why), each in depths.items()
    )


def _cells(row: Row, number: int) -> tuple[str, ...]:
    gain = "" if row.gain is None else f"{100 * row.gain:+.1f}"
    mark = "" if number == 0 else "behind" if row.is_behind else "close"
    return (
        row.backbone,
        row.freeze,
        f"{100 * row.score:.1f} %{'*' if row.projected else ''}",
        f"{100 * row.low:.0f} .. {100 * row.high:.0f}",
        row.size_px,
        gain,
        mark,
        row.how,
    )

"""The result of a check of labels in words, for the terminal and the page."""

import shlex
from collections import Counter

from frostline.advice.labels.label_check import MIXED_UP, SLIP, LabelCheck, unjudged_note
from frostline.invocation import as_called

_LISTED = 10


def summary_lines(check: LabelCheck) -> list[str]:
    """How many suspects there are, and how far that can be trusted."""
    if check.why_not:
        return [f"cannot tell which labels are wrong: {check.why_not}"]
    planted = check.planted
    assert planted is not None
    assert check.accuracy is not None
    slips = check.of_kind(SLIP)
    n = len(slips)
    expected = sum(one.wrong_probability for one in slips)
    really = (
        f"; about {expected:,.0f} of them really are if mistakes are slips, which give an image "
        "any class"
    )
    return [
        f"{n:,} of {check.judged:,} labels are probably wrong, by the features of "
        f"{check.backbone}, which recognise {check.accuracy:.0%} of each class"
        + (really if n else ""),
        f"tried on these images: of {planted.swapped} labels that were swapped on purpose "
        f"{planted.found} were found ({planted.recall:.0%}), and of {planted.named} images that "
        f"were named {planted.found} had been swapped ({planted.precision:.0%})",
        _mixed_up_line(check),
    ]


def _data_word(path: str) -> str:
    return "data=leaves" if path == "leaves" else f"data.path={path}"


def _mixed_up_line(check: LabelCheck) -> str:
    if not check.by_cleanlab:
        return (
            "classes that were mixed up are not looked for: that needs the package cleanlab "
            "(pip install cleanlab)"
        )
    found = check.of_kind(MIXED_UP)
    if not found:
        return "no sign of classes that were mixed up"
    pairs = Counter((one.given, one.suggested) for one in found).most_common(3)
    named = ", ".join(f"{given} that looks like {other} ({n})" for (given, other), n in pairs)
    return (
        f"{len(found):,} more are worth a look, with more false alarms: classes that are hard to "
        f"tell apart, or that were mixed up, most of all {named}"
    )


def suspects_lines(check: LabelCheck, *, path: str, page: str, file: str) -> list[str]:
    """The summary, the first suspects, and what to do with them, for the terminal.

    Args:
        check: The result.
        path: Of the data set, as the user gave it.
        page: File of the page; empty if none was written.
        file: The table in which the person decides; empty if none was written.
    """
    lines = [f"{check.table.name}: {len(check.table):,} images", *summary_lines(check)]
    if note := unjudged_note(check):
        lines.append(note)
    lines += [
        f"  {one.kind}: {one.file}: {one.given} ({one.given_probability:.2f}), looks like "
        f"{one.suggested} ({one.suggested_probability:.2f})"
        for one in check.suspects[:_LISTED]
    ]
    if len(check.suspects) > _LISTED:
        lines.append(f"  and {len(check.suspects) - _LISTED:,} more")
    if page:
        lines.append(f"page: {page}")
    if file and check.suspects:
        lines += [
            f"table: {file}; write the right class, or drop, into its column label where you have "
            "looked, and train with",
            as_called("  python -m src.train ")
            + shlex.join([_data_word(path), f"data.corrections={file}"]),
        ]
    return lines

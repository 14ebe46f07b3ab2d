"""A page of the images whose labels are probably wrong: a contact sheet, class by class."""

from dataclasses import dataclass

from frostline.advice.labels.label_check import LabelCheck, Suspect, unjudged_note
from frostline.advice.labels.suspects_text import summary_lines
from frostline.data.checks.data_page import thumbnail

MAX_SHOWN = 300


@dataclass(frozen=True)
class ShownSuspect:
    """A suspect with a small picture as a data URL."""

    suspect: Suspect
    address: str


@dataclass(frozen=True)
class SuspectClass:
    """The suspects with one label."""

    name: str
    n_suspects: int
    shown: tuple[ShownSuspect, ...]


def suspects_page(check: LabelCheck, *, file: str) -> str:
    """Render the page as self-contained HTML text.

    Args:
        check: The result.
        file: Name of the table in which the person decides.
    """
    from frostline.reporting.render import render_html

    return render_html(
        "suspects.html.jinja",
        package="frostline.advice.labels",
        title=f"Labels of {check.table.name}",
        lines=summary_lines(check),
        note=unjudged_note(check),
        why_not=check.why_not,
        classes=_by_class(check),
        n_suspects=len(check.suspects),
        n_shown=min(MAX_SHOWN, len(check.suspects)),
        decisions=file,
        fingerprint=check.table.fingerprint[:16],
    )


def _by_class(check: LabelCheck) -> list[SuspectClass]:
    """The classes with most suspects first; of all suspects the most suspicious are shown."""
    of_class: dict[str, list[Suspect]] = {}
    for one in check.suspects:
        of_class.setdefault(one.given, []).append(one)
    shown = set(check.suspects[:MAX_SHOWN])
    return [
        SuspectClass(
            name,
            len(suspects),
            tuple(
                ShownSuspect(one, thumbnail(check.table, one.file))
                for one in suspects
                if one in shown
            ),
        )
        for name, suspects in sorted(of_class.items(), key=lambda pair: -len(pair[1]))
    ]

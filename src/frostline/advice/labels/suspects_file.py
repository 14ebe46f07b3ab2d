"""Suspects as a table in which a person decides, which is then `data.corrections`."""

import csv
from pathlib import Path

from frostline.advice.labels.label_check import Suspect
from frostline.data.corrections import FILE, GIVEN, LABEL
from frostline.data.sources.table_text import read_rows
from frostline.errors import DataError
from frostline.files import replacing
from frostline.spreadsheet import as_row

_NUMBERS = ("given_probability", "suggested_probability", "wrong_probability")
HEADER = (FILE, "kind", GIVEN, "suggested", *_NUMBERS, LABEL)


def write_suspects(path: Path, suspects: tuple[Suspect, ...]) -> None:
    """Write one line a suspect, the most suspicious first; `label` is left for the person."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(HEADER)
        for one in suspects:
            probabilities = [f"{getattr(one, name):.4f}" for name in _NUMBERS]
            writer.writerow(
                as_row([one.file, one.kind, one.given, one.suggested, *probabilities, ""])
            )


def check_undecided(path: Path) -> None:
    """Refuse to write over a table in which somebody has decided.

    Raises:
        DataError: If it has decisions, or is no table of suspects.
    """
    if not path.exists():
        return
    try:
        rows, columns = read_rows(path)
    except DataError as error:
        if error.given == f"{path.name} has no rows":
            return
        raise _in_the_way(path, error.given) from None
    if not set(HEADER) <= set(columns):
        raise _in_the_way(path, "it is another table")
    decided = sum(bool(row[LABEL]) for _, row in rows)
    if decided:
        raise _in_the_way(path, f"it holds {decided} decisions")


def _in_the_way(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path} would be written over: {reason}",
        todo="give another name with --out, such as --out second.html (and second.csv)",
    )

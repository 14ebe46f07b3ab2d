"""Write answers as CSV, JSON or Parquet, one row for each image file."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from frostline.errors import ConfigError
from frostline.files import replacing
from frostline.inference.answer import Answer
from frostline.spreadsheet import as_row

FORMATS = (".csv", ".json", ".jsonl", ".parquet")
TRUST = ("set", "unlike_training")
# Between the classes of a set in a cell; JSON has a list.
BETWEEN = " | "


def check_format(path: Path) -> None:
    """Raises ConfigError if answers cannot be written under this name."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"--out {path}: unknown kind of file", f"a name in {', '.join(FORMATS)}")


def columns_of(top: int, *, sets: bool = False) -> list[str]:
    """Name the columns: file, class, probability, class_2, probability_2, ..., error.

    With sets, `set` and `unlike_training` stand before the error.
    """
    names = ["file"]
    for rank in range(1, top + 1):
        names += ["class", "probability"] if rank == 1 else [f"class_{rank}", f"probability_{rank}"]
    return [*names, *(TRUST if sets else ()), "error"]


def write_answers(
    answers: Iterable[Answer], classes: Sequence[str], top: int, path: Path, *, sets: bool = False
) -> None:
    """Write answers in the format of the file's suffix; the file appears when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        match path.suffix.lower():
            case ".csv":
                # File names that are not UTF-8 are written as the bytes that they are.
                with temporary.open(
                    "w", newline="", encoding="utf-8", errors="surrogateescape"
                ) as handle:
                    write_csv(answers, classes, top, handle, sets=sets)
            case ".parquet":
                _write_parquet(answers, classes, top, temporary, sets=sets)
            case suffix:
                rows = (as_dict(answer, classes, sets=sets) for answer in answers)
                with temporary.open("w", encoding="utf-8", errors="backslashreplace") as handle:
                    write_json(rows, handle, lines=suffix == ".jsonl")


def write_csv(
    answers: Iterable[Answer],
    classes: Sequence[str],
    top: int,
    handle: IO[str],
    *,
    sets: bool = False,
) -> None:
    """Write rows as they arrive."""
    writer = csv.writer(handle)
    writer.writerow(columns_of(top, sets=sets))
    for answer in answers:
        row = _row(answer, classes, top, sets=sets)
        writer.writerow(as_row("" if cell is None else cell for cell in row))


def write_json(rows: Iterable[dict[str, Any]], handle: IO[str], *, lines: bool) -> None:
    """Write a list of objects, or one object a line, as they arrive."""
    if lines:
        for row in rows:
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")
        return
    handle.write("[")
    for number, row in enumerate(rows):
        handle.write(("," if number else "") + "\n  " + json.dumps(row, ensure_ascii=False))
    handle.write("\n]\n")


def print_as_utf8(errors: str) -> None:
    """Print UTF-8 in any locale, so that no file name or class name ends the command."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors=errors)


def as_dict(answer: Answer, classes: Sequence[str], *, sets: bool = False) -> dict[str, Any]:
    """Convert an answer for JSON; `error` is null if the file could be read."""
    trust = {"set": [classes[k] for k in answer.members], "unlike_training": answer.unlike}
    top = [
        {"class": classes[k], "probability": probability}
        for k, probability in zip(answer.top, answer.probs, strict=True)
    ]
    return {
        "file": str(answer.path),
        "top": top,
        **(trust if sets else {}),
        "error": answer.error or None,
    }


def _row(answer: Answer, classes: Sequence[str], top: int, *, sets: bool) -> list[Any]:
    cells: list[Any] = [str(answer.path)]
    for k, probability in zip(answer.top, answer.probs, strict=True):
        cells += [classes[k], round(probability, 6)]
    cells += [None] * (1 + 2 * top - len(cells))
    if sets:
        members = BETWEEN.join(classes[k] for k in answer.members)
        unlike = None if answer.unlike is None else "yes" if answer.unlike else "no"
        cells += [members or None, unlike]
    return [*cells, answer.error or None]


def _write_parquet(
    answers: Iterable[Answer], classes: Sequence[str], top: int, path: Path, *, sets: bool
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = columns_of(top, sets=sets)
    kinds = [pa.float32() if name.startswith("probability") else pa.string() for name in names]
    rows = [_row(answer, classes, top, sets=sets) for answer in answers]
    for row in rows:
        # Text in Parquet must be UTF-8.
        row[0] = row[0].encode(errors="backslashreplace").decode()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    pq.write_table(pa.table(dict(zip(names, arrays, strict=True))), path, compression="zstd")

"""docs/results.md: what is in the corpus, and the cells that may be compared, side by side."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from experiments.tools.corpus_file import (
    NOT_RECORDED,
    OTHER_SETTINGS,
    RECIPE,
    Row,
    cells,
    questions,
    usual_recipe,
)


def page(rows: Sequence[Row]) -> str:
    """The page as Markdown."""
    asked = questions(rows)
    lines = [
        "# Results: the corpus of runs",
        "",
        "Written by `python -m experiments.tools.corpus STORE ...` from recorded runs. Rows are "
        "in [experiments/corpus.csv](../experiments/corpus.csv), and the rules of comparison in "
        "[corpus.md](corpus.md).",
        "",
        f"{len(rows)} runs, {sum(len(cells(each)) for each in asked)} cells, {len(asked)} "
        "questions (data set, its size, image size), results version "
        f"{', '.join(sorted({row['results_version'] for row in rows})) or 'none'}.",
    ]
    for question in asked:
        lines += ["", *_section(question)]
    return "\n".join([*lines, ""])


def write_page(rows: Sequence[Row], path: Path) -> None:
    """Write it."""
    path.write_text(page(rows), encoding="utf-8")


def _section(question: Sequence[Row]) -> list[str]:
    first = question[0]
    folds = f" in each of {first['data_folds']} folds" if first["data_folds"] else ""
    lines = [
        f"## {first['data']}, {first['n_train']} training images{folds}, {first['image_size']} px",
        "",
        f"{first['classes']} classes, {first['n_val']} validation and {first['n_test']} test "
        f"images, fingerprint {first['data_fingerprint']}, {first['numerics']}.",
        "",
        "| backbone | freeze | recipe | lr | seeds | val F1 | test F1 | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    ordered = sorted(cells(question), key=lambda each: -_mean(each, "val_f1_macro"))
    return lines + [_line(each) for each in ordered]


def _line(cell: Sequence[Row]) -> str:
    first = cell[0]
    rates = sorted({row["lr"] for row in cell}, key=float)
    rate = "solved" if first["head_solver"] else ", ".join(f"{float(one):.2g}" for one in rates)
    usual = usual_recipe()
    recipe = ", ".join(_named(key, first[key]) for key in RECIPE if first[key] != usual[key])
    values = [
        first["backbone"],
        first["freeze"],
        recipe or "defaults",
        rate,
        str(len({row["seed"] for row in cell})),
        f"{100 * _mean(cell, 'val_f1_macro'):.1f}",
        f"{100 * _mean(cell, 'test_f1_macro'):.1f}",
        f"{_mean(cell, 'train_s') + _mean(cell, 'tune_s'):.0f}",
    ]
    return f"| {' | '.join(values)} |"


def _named(key: str, value: str) -> str:
    """A setting; several of them name their keys themselves."""
    if key != OTHER_SETTINGS:
        return f"{key}={value}"
    return "other settings not recorded" if value == NOT_RECORDED else value.replace(" ", ", ")


def _mean(cell: Sequence[Row], column: str) -> float:
    values = [float(row[column]) for row in cell if row[column]]
    return mean(values) if values else 0.0

"""docs/results.md: what is in the corpus, and the cells that may be compared, side by side."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

Row = Mapping[str, str]

# Rows that agree in all of these were trained on the same images, and judged on the same ones.
SAME_QUESTION = (
    "data_fingerprint",
    "n_train",
    "data_fraction",
    "image_size",
    "numerics",
    "libraries",
    "results_version",
)
# What tells cells apart; the rate is chosen by the cell, or typed for it.
CELL = (
    "backbone",
    "weights",
    "weights_digest",
    "freeze",
    "augment",
    "mix",
    "loss",
    "head",
    "schedule",
    "strategy",
    "optimizer",
    "lr_schedule",
    "frozen_bn",
    "epochs",
    "batch_size",
    "lr_from",
)
_RECIPE = ("augment", "mix", "loss", "head", "schedule", "strategy", "optimizer", "lr_schedule")


def questions(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows by what may be compared, in the order of the file."""
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row[key] for key in SAME_QUESTION)].append(row)
    return list(found.values())


def cells(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of one question by cell: its seeds."""
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row[key] for key in CELL if not _is_drawn(key, row))].append(row)
    return list(found.values())


def _is_drawn(key: str, row: Row) -> bool:
    """Whether a value is drawn anew for each seed, and so tells no cells apart."""
    return key == "weights_digest" and row["weights"] == "random"


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
    lines = [
        f"## {first['data']}, {first['n_train']} training images, {first['image_size']} px",
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
    usual = ("flip", "none", "cross_entropy", "linear", "constant", "none", "adamw", "cosine")
    recipe = ", ".join(
        f"{key}={first[key]}"
        for key, value in zip(_RECIPE, usual, strict=True)
        if first[key] != value
    )
    values = [
        first["backbone"],
        first["freeze"],
        recipe or "defaults",
        rate,
        str(len(cell)),
        f"{100 * _mean(cell, 'val_f1_macro'):.1f}",
        f"{100 * _mean(cell, 'test_f1_macro'):.1f}",
        f"{_mean(cell, 'train_s') + _mean(cell, 'tune_s'):.0f}",
    ]
    return f"| {' | '.join(values)} |"


def _mean(cell: Sequence[Row], column: str) -> float:
    values = [float(row[column]) for row in cell if row[column]]
    return mean(values) if values else 0.0

"""The columns of `experiments/corpus.csv`, reading and writing it, and which rows are compared."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from frostline.config.conf_files import default_choices, default_scalar
from frostline.errors import DataError
from frostline.files import replacing

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "experiments" / "corpus.csv"
Row = dict[str, str]

# Name of a column to where it comes from: a parameter, metric or tag of the run, or `data.json`.
# Groups of the config by their choice.
_GROUPS = ("augment", "mix", "loss", "head", "schedule", "strategy", "optimizer", "lr_schedule")
# Empty in runs that do not have them.
_OPTIONAL = ("ema", "lora_rank")
FOLDS = ("data_folds", "data_fold")
PARAMS = (
    "backbone",
    "weights",
    "freeze",
    "frozen_stages",
    "frozen_params_frac",
    "frozen_flops_frac",
    "trainable_params",
    "image_size",
    *_GROUPS,
    "frozen_bn",
    *_OPTIONAL,
    "epochs",
    "batch_size",
    "data_fraction",
    *FOLDS,
    "seed",
    "lr",
)
# Settings without a column of their own that differ from their defaults.
OTHER_SETTINGS = "other_settings"
NOT_RECORDED = "not recorded"
METRICS = {
    "val_f1_macro": "val_best/f1_macro",
    "val_acc_micro": "val_best/acc_micro",
    "test_f1_macro": "test/f1_macro",
    "test_acc_micro": "test/acc_micro",
    "test_acc_macro": "test/acc_macro",
    "train_s": "time/train_s",
    "tune_s": "time/tune_s",
}
TAGS = {
    "lr_from": "lr_from",
    "head_solver": "frostline.head_solver",
    "data_fingerprint": "frostline.data_fingerprint",
    "split_digest": "frostline.split_digest",
    "weights_digest": "frostline.weights_digest",
    "job_digest": "frostline.job_digest",
    "sweep": "frostline.sweep_id",
    "device": "frostline.device",
    "numerics": "frostline.numerics",
    "libraries": "frostline.libraries",
    "python": "frostline.python",
    "results_version": "frostline.results_version",
    "git_dirty": "frostline.git_dirty",
    "commit": "mlflow.source.git.commit",
}
SIZES = ("data", "data_source", "classes", "n_train", "n_val", "n_test", "groups")
COLUMNS = (*SIZES, *PARAMS, OTHER_SETTINGS, *METRICS, *TAGS)
# Columns that a file of before does not have, and what its rows get: runs that had a value there
# were left out then; other settings were not looked at.
_ADDED = {**dict.fromkeys((*_OPTIONAL, *FOLDS), ""), OTHER_SETTINGS: NOT_RECORDED}

# What a cell's recipe is, beside backbone and depth.
RECIPE = (*_GROUPS, "frozen_bn", *_OPTIONAL, "epochs", "batch_size", OTHER_SETTINGS)
# What distinguishes cells; the rate is chosen by the cell, or typed for it.
CELL = ("backbone", "weights", "weights_digest", "freeze", *RECIPE, "lr_from")
# Rows that agree in all of these were trained on the same images, and judged on the same ones.
SAME_QUESTION = (
    "data_fingerprint",
    "n_train",
    "data_fraction",
    "data_folds",
    "image_size",
    "numerics",
    "libraries",
    "results_version",
)


def usual_recipe() -> Row:
    """What a run that names nothing has in the columns of the recipe, by conf/."""
    choices = default_choices()
    plain = {name: default_scalar(name) for name in ("frozen_bn", "epochs", "batch_size")}
    empty = dict.fromkeys((*_OPTIONAL, OTHER_SETTINGS), "")
    return {name: choices[name] for name in _GROUPS} | plain | empty


def questions(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows by what may be compared, in the order of the file.

    Folds of one data set differ by an image in size, and are one question all the same.
    """
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        whole = row | {"n_train": ""} if row["data_folds"] else row
        found[tuple(whole[key] for key in SAME_QUESTION)].append(row)
    return list(found.values())


def cells(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of one question by cell: its seeds and folds."""
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row[key] for key in CELL if not _is_drawn(key, row))].append(row)
    return list(found.values())


def read_corpus(path: Path = CORPUS) -> list[Row]:
    """The rows of a file; none if it does not exist.

    A file of before a column existed gets it: empty, as in runs without a value there.

    Raises:
        DataError: If it has other columns.
    """
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    there = tuple(reader.fieldnames or ())
    if there != tuple(name for name in COLUMNS if name in there or name not in _ADDED):
        raise DataError(
            f"{path.name}: its columns are not those of this version",
            todo="write it again from the stores, into another file",
        )
    return [{name: row.get(name, _ADDED.get(name, "")) for name in COLUMNS} for row in rows]


def write_corpus(rows: Sequence[Row], path: Path = CORPUS) -> None:
    """Write the file; equal rows give equal bytes."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _is_drawn(key: str, row: Row) -> bool:
    """Whether a value is drawn anew for each seed, and so distinguishes no cells."""
    return key == "weights_digest" and row["weights"] == "random"

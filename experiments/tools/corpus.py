"""Write `experiments/corpus.csv`: a row for each cell and seed of the studies' recorded runs.

python -m experiments.tools.corpus STORE [STORE ...]            # folders with an mlflow.db
python -m experiments.tools.corpus STORE --out other.csv

Rows that are in the file already stay, newer runs of the same job take their place. Only whole runs
of the present version of results are taken. docs/results.md is made from the file by the same
command, and says which rows may be compared.
"""

import argparse
import csv
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from experiments.tools.corpus_page import write_page
from frostline.config.versions import RESULTS_VERSION
from frostline.errors import DataError
from frostline.files import replacing
from frostline.tracking.records import RunRecord

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "experiments" / "corpus.csv"
RESULTS = ROOT / "docs" / "results.md"
STORE_FILE = "mlflow.db"

# Name of a column to where it comes from: a parameter, metric or tag of the run, or `data.json`.
PARAMS = (
    "backbone",
    "weights",
    "freeze",
    "frozen_stages",
    "frozen_params_frac",
    "frozen_flops_frac",
    "trainable_params",
    "image_size",
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
    "data_fraction",
    "seed",
    "lr",
)
# Parameters that only some runs have and that make another cell, or another test set.
WITHOUT_COLUMN = {"ema", "lora_rank", "data_folds"}
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
COLUMNS = (*SIZES, *PARAMS, *METRICS, *TAGS)
_DIGEST_CHARS = 16
_DIGESTS = ("data_fingerprint", "split_digest", "weights_digest", "job_digest")
Row = dict[str, str]


def row_of(run: RunRecord, profile: Mapping[str, object]) -> Row:
    """A run as a row of text.

    Nothing of the machine but its device and versions is in it: names of data sets and weights
    files are cut to their last part, and no path, host, user or command is taken.

    Args:
        run: Whole, of a job.
        profile: Its `data.json`.
    """
    counts, splits = profile.get("counts"), profile.get("splits")
    assert isinstance(counts, dict)
    assert isinstance(splits, dict)
    row: Row = {
        "data": _last_part(str(profile.get("name", run.experiment))),
        "data_source": run.tags.get("frostline.data_source", ""),
        "classes": str(len(counts)),
        **{f"n_{name}": str(splits.get(name, "")) for name in ("train", "val", "test")},
        "groups": str(profile.get("groups", "")),
    }
    row |= {name: run.params.get(name, "") for name in PARAMS}
    row["weights"] = _last_part(row["weights"])
    for name, metric in METRICS.items():
        value = run.metrics.get(metric)
        row[name] = "" if value is None else f"{value:.6g}"
    row |= {name: run.tags.get(tag, "") for name, tag in TAGS.items()}
    for name in _DIGESTS:
        row[name] = row[name][:_DIGEST_CHARS]
    return row


def why_not(run: RunRecord) -> str:
    """Why a finished run is no row; empty if it is."""
    version = run.tags.get("frostline.results_version", "none")
    if version != str(RESULTS_VERSION):
        return f"results version {version}, not {RESULTS_VERSION}"
    if not run.is_whole:
        return "dropped by a race"
    if METRICS["test_f1_macro"] not in run.metrics:
        return "without a test score"
    if unknown := sorted(WITHOUT_COLUMN & run.params.keys()):
        return f"{', '.join(unknown)} has no column: it would count as a cell without"
    return ""


def merged(rows: Iterable[Row]) -> list[Row]:
    """One row a job on a device, the last one given; in an order that does not depend on it."""
    newest = {(row["job_digest"], row["device"], row["numerics"]): row for row in rows}
    keys = ("data", "n_train", "backbone", "image_size", "freeze", "augment", "strategy", "seed")
    return sorted(newest.values(), key=lambda row: (*(row[key] for key in keys), row["job_digest"]))


def rows_of_store(folder: Path) -> tuple[list[Row], Counter[str]]:
    """The rows of a store, oldest first, and why its other runs are none, with how many.

    The store's file is copied before it is opened, and its runs' files are only read.

    Args:
        folder: With `mlflow.db`.

    Raises:
        DataError: If there is no store, or a run's record of its data is missing.
    """
    from frostline.tracking.store import open_store

    file = folder / STORE_FILE
    if not file.is_file():
        raise DataError(f"{folder}: no {STORE_FILE} in it", "a folder in which sweeps were run")
    rows, left_out = [], Counter[str]()
    with tempfile.TemporaryDirectory(prefix="corpus-") as place:
        copied = Path(place) / STORE_FILE
        _copy_database(file, copied)
        store = open_store(f"sqlite:///{copied}", "Default", make=False)
        runs = store.find_runs({"frostline.kind": "job"}, status=("FINISHED",), everywhere=True)
        for run in sorted(runs, key=lambda one: one.start_ms):
            if reason := why_not(run):
                left_out[reason] += 1
                continue
            path = store.fetch_artifact(run.run_id, "data.json", Path(place) / run.run_id)
            rows.append(row_of(run, json.loads(path.read_text(encoding="utf-8"))))
    return rows, left_out


def read_corpus(path: Path = CORPUS) -> list[Row]:
    """The rows of a file; none if it does not exist.

    Raises:
        DataError: If it has other columns.
    """
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise DataError(
                f"{path.name}: its columns are not those of this version",
                todo="write it again from the stores, into another file",
            )
    return rows


def write_corpus(rows: Sequence[Row], path: Path = CORPUS) -> None:
    """Write the file; equal rows give equal bytes."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _copy_database(file: Path, to: Path) -> None:
    """Copy a database that may be in use, all of it from one moment."""
    import sqlite3

    with (
        sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True) as source,
        sqlite3.connect(to) as target,
    ):
        source.backup(target)


def _last_part(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="*", type=Path, help="folders with an mlflow.db")
    parser.add_argument("--out", type=Path, default=CORPUS)
    parser.add_argument("--page", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    rows = read_corpus(given.out)
    for folder in given.stores:
        found, left_out = rows_of_store(folder)
        rows += found
        print(f"{folder.name}: {len(found)} runs")
        for reason, count in left_out.items():
            print(f"  {count} left out: {reason}")
    rows = merged(rows)
    write_corpus(rows, given.out)
    write_page(rows, given.page)
    print(f"{given.out.name}: {len(rows)} rows")


if __name__ == "__main__":
    main()

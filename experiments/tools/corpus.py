"""Write `experiments/corpus.csv`: a row for each cell and seed of the studies' recorded runs.

python -m experiments.tools.corpus STORE [STORE ...]            # folders with an mlflow.db
python -m experiments.tools.corpus STORE --out other.csv

Rows that are in the file already stay, newer runs of the same job take their place. Only whole runs
of the present version of results are taken. docs/results.md is made from the file by the same
command, and so is what it says of the depth to try first (`experiments.tools.corpus_prior`).
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from experiments.tools.corpus_file import (
    CORPUS,
    METRICS,
    OTHER_SETTINGS,
    PARAMS,
    ROOT,
    TAGS,
    Row,
    read_corpus,
    write_corpus,
)
from experiments.tools.corpus_page import write_page
from experiments.tools.corpus_prior import write_prior
from experiments.tools.corpus_settings import last_part, other_settings
from frostline.config.versions import RESULTS_VERSION
from frostline.errors import ConfigError, DataError
from frostline.tracking.records import RunRecord
from frostline.tracking.run_contents import CONFIG_FILE

RESULTS = ROOT / "docs" / "results.md"
STORE_FILE = "mlflow.db"

_DIGEST_CHARS = 16
_DIGESTS = ("data_fingerprint", "split_digest", "weights_digest", "job_digest")


def row_of(run: RunRecord, profile: Mapping[str, object], config: str) -> Row:
    """A run as a row of text.

    Nothing of the machine but its device and versions is in it: names of data sets and weights
    files are cut to their last part, and no path, host, user or command is taken.

    Args:
        run: Whole, of a job.
        profile: Its `data.json`.
        config: Its `config.yaml`.

    Raises:
        ConfigError: If this version cannot read that.
    """
    counts, splits = profile.get("counts"), profile.get("splits")
    assert isinstance(counts, dict)
    assert isinstance(splits, dict)
    row: Row = {
        "data": last_part(str(profile.get("name", run.experiment))),
        "data_source": run.tags.get("frostline.data_source", ""),
        "classes": str(len(counts)),
        **{f"n_{name}": str(splits.get(name, "")) for name in ("train", "val", "test")},
        "groups": str(profile.get("groups", "")),
    }
    row |= {name: run.params.get(name, "") for name in PARAMS}
    row["weights"] = last_part(row["weights"])
    row[OTHER_SETTINGS] = other_settings(config)
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
        DataError: If there is no store, or a run's record of its data or settings is missing.
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
            files = [
                store.fetch_artifact(run.run_id, name, Path(place) / run.run_id)
                for name in ("data.json", CONFIG_FILE)
            ]
            profile, config = (file.read_text(encoding="utf-8") for file in files)
            try:
                rows.append(row_of(run, json.loads(profile), config))
            except ConfigError:
                left_out["its config.yaml cannot be read by this version"] += 1
    return rows, left_out


def _copy_database(file: Path, to: Path) -> None:
    """Copy a database that may be in use, all of it from one moment."""
    import sqlite3

    with (
        sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True) as source,
        sqlite3.connect(to) as target,
    ):
        source.backup(target)


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
    if given.out == CORPUS:
        write_prior(rows)
    print(f"{given.out.name}: {len(rows)} rows")


if __name__ == "__main__":
    main()

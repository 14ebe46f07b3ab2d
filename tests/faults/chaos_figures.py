"""Figures computed again from predictions, by formulas that stand here and not in the package."""

import csv
import math
import subprocess
import sys
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from frostline.tracking.records import RunRecord
from frostline.tracking.store import Store
from tests.faults.chaos_sweep import LONGEST_S, ChaosSweep

# The scores' precision in the store; the loss comes from probabilities of 16 bits.
SAME, SAME_LOSS = 1e-6, 2e-3
SPLITS = {"val": "val_best", "test": "test"}
COLUMNS = {
    "val macro F1 %": ("val", "f1_macro"),
    "val macro accuracy %": ("val", "acc_macro"),
    "val accuracy %": ("val", "acc_micro"),
    "test macro F1 %": ("test", "f1_macro"),
}


def figures_of(labels: NDArray[np.int64], probs: NDArray[np.float64]) -> dict[str, float]:
    """Loss and scores of a split, from labels (N,) and probabilities (N, K)."""
    predicted = probs.argmax(axis=1)
    recalls, f1s = [], []
    for one in sorted({*labels.tolist(), *predicted.tolist()}):
        hits = int(((labels == one) & (predicted == one)).sum())
        actual, called = int((labels == one).sum()), int((predicted == one).sum())
        recalls.append(hits / actual if actual else 0.0)
        f1s.append(2 * hits / (actual + called))
    own = probs[np.arange(len(labels)), labels]
    return {
        "loss": -fmean(math.log(max(p, 1e-9)) for p in own.tolist()),
        "acc_micro": float((predicted == labels).mean()),
        "acc_macro": fmean(recalls),
        "f1_macro": fmean(f1s),
    }


def prove_figures(store: Store, run: RunRecord) -> int:
    """Compare what a run logged with what its predictions give; how many figures."""
    count = 0
    for split, prefix in SPLITS.items():
        for name, value in _own_figures(store, run, split).items():
            logged, bound = run.metrics[f"{prefix}/{name}"], SAME
            if name == "loss":
                bound = SAME_LOSS * max(1.0, value)
            assert abs(value - logged) < bound, (run.name, split, name, value, logged)
            count += 1
    return count


def prove_report(sweep: ChaosSweep, store: Store, runs: list[RunRecord]) -> int:
    """Compare the report's table of configurations with what predictions give; how many figures."""
    out = sweep.folder / "report"
    ids = [run.run_id for run in runs]
    command = [sys.executable, "-m", "src.report", "--out", str(out), "--runs", *ids]
    subprocess.run(command, cwd=sweep.folder, check=True, timeout=LONGEST_S, capture_output=True)
    with (out / "tables/leaderboard.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({run.params["freeze"] for run in runs})
    count = 0
    for row in rows:
        of_it = [r for r in runs if row["configuration"].endswith(f"freeze={r.params['freeze']}")]
        assert int(row["seeds"]) == len(of_it), row
        for column, (split, name) in COLUMNS.items():
            own = fmean(_own_figures(store, run, split)[name] for run in of_it)
            assert abs(float(row[column]) - own) < SAME, (row, column, own)
            count += 1
    return count


def _own_figures(store: Store, run: RunRecord, split: str) -> dict[str, float]:
    from frostline.tracking.prediction_files import read_predictions

    path = store.fetch_artifact(run.run_id, f"predictions/{split}.parquet")
    predictions = read_predictions(path)
    return figures_of(predictions.labels, predictions.probs.astype(np.float64))

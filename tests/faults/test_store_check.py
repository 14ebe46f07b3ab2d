"""`src.tracking check` names what was damaged behind the back of a store, and nothing else."""

import json
import sqlite3
from pathlib import Path

import numpy as np

from frostline.tracking.prediction_files import read_predictions, write_predictions
from tests.faults.conftest import NET, call, jobs_of, store_of
from tests.integration.conftest import start


def test_a_walk_through_the_store_finds_each_damage(here: Path) -> None:
    swept = call(here, "-m", *NET, "epochs=1", "freeze=all", "lr=0.01,auto", "seed=0,1,2")
    assert swept.returncode == 0, swept.stderr
    whole = start(here, "check", module="src.tracking")
    assert (whole.returncode, whole.stdout.splitlines()[0][:10]) == (0, "0 findings"), whole

    checkpoint, predictions, config, digest, foreign, *_ = jobs_of(here)
    store = store_of(here)
    path = store.fetch_artifact(checkpoint.run_id, "checkpoints/best.ckpt")
    path.write_bytes(path.read_bytes()[:-100])
    path = store.fetch_artifact(predictions.run_id, "predictions/test.parquet")
    path.write_bytes(path.read_bytes()[:50])
    store.fetch_artifact(config.run_id, "config.yaml").unlink()
    _put_others(store.fetch_artifact(foreign.run_id, "predictions/val.parquet"))
    with sqlite3.connect(here / "mlflow.db") as connection:
        connection.execute(
            "UPDATE tags SET value = 'f00d' WHERE run_uuid = ? AND key = ?",
            (digest.run_id, "frostline.data_fingerprint"),
        )
    found = start(here, "check", module="src.tracking")
    assert found.returncode == 1
    lines = [line for line in found.stdout.splitlines() if line.count(": ") > 1]
    assert len(lines) == 5, found.stdout
    by_run = {run.run_id: line for run in jobs_of(here) for line in lines if run.run_id in line}
    assert "checkpoint is damaged" in by_run[checkpoint.run_id]
    assert "cannot be read" in by_run[predictions.run_id]
    assert "config.yaml" in by_run[config.run_id]
    assert by_run[digest.run_id].startswith("wrong digest: "), json.dumps(lines)
    assert "val.parquet: its predictions are" in by_run[foreign.run_id]


def _put_others(path: Path) -> None:
    """Put whole predictions with another score in the place of a run's own."""
    own = read_predictions(path)
    probs = np.full(own.probs.shape, 0.01)
    said = own.labels if own.correct.mean() < 0.5 else (own.labels + 1) % probs.shape[1]
    probs[np.arange(len(said)), said] = 1.0
    write_predictions(
        path,
        items=list(own.items),
        groups=list(own.groups),
        labels=own.labels,
        probs=probs / probs.sum(axis=1, keepdims=True),
    )

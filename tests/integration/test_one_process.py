"""A job's figures and weights are the same in a process of its own and after other jobs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from frostline.tracking.records import RunRecord
from frostline.tracking.store import Store, open_store
from frostline.training.checkpoint import load_checkpoint
from tests.integration.conftest import ROOT, TINY, draw_classes, environment, start

pytestmark = pytest.mark.slow

# Whatever draws at random: views, mixing, dropout; a depth that thaws, a trained BatchNorm.
JOBS = (
    "backbone=test_efficientnet",
    "freeze=1,3",
    "schedule=constant,head_first",
    "augment=trivial",
    "mix=mixup",
    "head.dropout=0.5",
    "seed=0,1",
    "epochs=3",
    "report=false",
)


def trained(folder: Path, template: Path, *more: str) -> dict[str, tuple[Store, RunRecord]]:
    draw_classes(folder / "photos")
    shutil.copyfile(template, folder / "mlflow.db")
    ended = start(folder, "-m", *TINY, *JOBS, *more)
    assert ended.returncode == 0, ended.stderr
    store = open_store(None, "photos", folder=folder)
    runs = store.find_runs({"frostline.kind": "job"}, status=["FINISHED"])
    return {run.name: (store, run) for run in runs}


def weights(store: Store, run: RunRecord) -> dict[str, torch.Tensor]:
    folder = store.fetch_artifact(run.run_id, "checkpoints")
    (file,) = folder.glob("*.ckpt")
    state: dict[str, torch.Tensor] = load_checkpoint(file)["state_dict"]
    return state


def test_no_job_sees_those_before_it(tmp_path: Path, empty_store_file: Path) -> None:
    for name in ("shared", "own"):
        (tmp_path / name).mkdir()
    shared = trained(tmp_path / "shared", empty_store_file)
    own = trained(tmp_path / "own", empty_store_file, "hydra.launcher.jobs_per_process=1")
    assert set(shared) == set(own)
    processes = [{run.tags["frostline.pid"] for _, run in runs.values()} for runs in (shared, own)]
    assert [len(each) for each in processes] == [1, 8]
    for name, (store, run) in shared.items():
        other_store, other = own[name]
        for metric, value in run.metrics.items():
            if not metric.startswith("time/"):
                assert other.metrics[metric] == value, f"{name}: {metric}"
        ours, theirs = weights(store, run), weights(other_store, other)
        assert set(ours) == set(theirs)
        assert all(torch.equal(tensor, theirs[key]) for key, tensor in ours.items()), name


def test_a_collection_in_a_job_leaves_alone_what_jobs_share() -> None:
    """A full collection looks only through what came after the libraries."""
    counted = (
        "import gc, frostline.sweeps.preload; print(gc.get_freeze_count(), len(gc.get_objects()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", counted],
        cwd=ROOT,
        env=environment(ROOT),
        capture_output=True,
        text=True,
        check=True,
    )
    frozen, others = map(int, ended.stdout.split())
    assert frozen > 100_000
    assert others < frozen / 100

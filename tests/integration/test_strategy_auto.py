"""`strategy=auto` from the command line: measured, chosen, recorded, not measured again."""

import json
import re
from pathlib import Path

import pytest

from frostline.backbones.packaged_weights import find_packaged
from frostline.tracking.store import open_store
from tests.integration.conftest import start

LEAVES = (
    "data.n_images=120",
    "data.n_species=1",
    "data.photos_per_leaf=1",
    "image_size=64",
    "evidence=off",
    "trainer=cpu",
    "trainer.threads=1",
)
SWEEP = ("-m", "strategy=auto", "freeze=-1,all", "schedule=constant", "epochs=1", "report=false")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_packaged("tf_efficientnet_lite0") is None, reason="packaged weights are missing"
    ),
]


def test_auto_in_a_sweep(place: Path) -> None:
    plan = start(place, *SWEEP, *LEAVES, "dry_run=true")
    assert plan.returncode == 0, plan.stderr
    assert "strategy=auto: small_different" in plan.stderr
    assert "size: 70 training images" in plan.stderr or "size: 72" in plan.stderr
    ended = start(place, *SWEEP, *LEAVES)
    assert ended.returncode == 0, ended.stderr
    # What was measured for the plan is not measured again.
    assert "measuring leaves" in plan.stderr
    assert "measuring leaves" not in ended.stderr
    store = open_store(None, "leaves", folder=place)
    runs = store.find_runs({"frostline.kind": "job"})
    assert {run.params["freeze"] for run in runs} == {"4", "all"}
    for run in runs:
        assert run.params["strategy"] == "auto"
        assert run.tags["frostline.strategy"] == "small_different"
        assert run.params["schedule"] == "constant"
        assert run.tags["lr_from"] == "tuned"
        kept = json.loads(store.fetch_artifact(run.run_id, "strategy.json").read_text())
        assert kept["choice"] == "small_different"
        assert kept["thresholds"]["similarity_border"] == 0.5
        assert len(kept["measured"]["stages"]) == 6
        set_by = json.loads(store.fetch_artifact(run.run_id, "set_by.json").read_text())
        assert set_by["freeze"]["by"] == set_by["schedule.name"]["by"] == "user"
        assert set_by["tune.center"] == {"value": 0.005, "by": "strategy"}
        assert set_by["optimizer.weight_decay"]["by"] == "default"
        assert "trainer.threads" in set_by
        assert re.match(r"user: .*freeze.*; strategy: .*tune\.center", run.tags["frostline.set_by"])
    again = start(place, *SWEEP, *LEAVES)
    assert again.returncode == 0
    assert "2 jobs, 2 of them finished already" in again.stderr


def test_typed_depth_wins_in_every_job(place: Path) -> None:
    plan = start(
        place,
        "-m",
        "strategy=large_similar,small_different",
        "freeze=0",
        "epochs=3",
        "dry_run=true",
        *LEAVES,
    )
    assert plan.returncode == 0, plan.stderr
    # Apart from the name, the two strategies now ask for the same.
    assert "2 jobs" in plan.stderr


def test_auto_alone(place: Path) -> None:
    ended = start(place, "strategy=auto", "epochs=3", *LEAVES)
    assert ended.returncode == 0, ended.stderr
    store = open_store(None, "leaves", folder=place)
    (run,) = [
        run
        for run in store.find_runs({"frostline.kind": "job"})
        if run.params["schedule"] == "head_first"
    ]
    assert (run.params["freeze"], run.params["strategy"]) == ("2", "auto")
    assert run.tags["frostline.strategy"] == "small_different"


def test_auto_that_cannot_tell_is_refused_before_any_job(place: Path) -> None:
    ended = start(place, "-m", "strategy=auto", "data=folder", "data.path=photos", "image_size=32")
    assert ended.returncode == 2
    assert "strategy=auto cannot choose" in ended.stderr
    assert "12 training images" in ended.stderr

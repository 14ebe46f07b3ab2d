"""A sweep's runs together: ensembles and soups, judged on images that chose nothing."""

import json
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch

from frostline.stats.predictions import value_and_influence
from frostline.tracking.prediction_files import read_predictions
from frostline.training.checkpoint import load_checkpoint
from tests.integration.conftest import TINY, draw_classes, start

COMMON = ("-m", *TINY, "batch_size=16", "augment=none", "evidence=off", "head.dropout=0")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path) -> Path:
    """Three depths with one split, and one of them with another seed, which splits otherwise."""
    folder = tmp_path_factory.mktemp("together")
    draw_classes(folder / "photos", per_class=60)
    shutil.copyfile(empty_store_file, folder / "mlflow.db")
    ended = start(folder, *COMMON, "backbone=test_resnet", "freeze=0,2,3", "seed=0,1", "lr=3e-3")
    assert ended.returncode == 0, ended.stderr
    return folder


def judged(folder: Path, *words: str) -> dict:
    ended = start(folder, "best:latest", *words, "--json", module="src.evaluate")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def runs(folder: Path) -> dict[str, mlflow.entities.Run]:
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiments = [one.experiment_id for one in client.search_experiments()]
    return {run.info.run_id: run for run in client.search_runs(experiments)}


def test_an_ensemble_is_of_runs_that_were_not_trained_on_its_test_images(swept: Path) -> None:
    found = judged(swept, "--ensemble")
    assert len(found["members"]) == 3
    assert any("left out, 3 runs: other splits: test images of one" in n for n in found["notes"])
    recorded = runs(swept)
    members = [recorded[each["run_id"]] for each in found["members"]]
    assert len({run.data.params["seed"] for run in members}) == 1
    assert sum(each["weight"] for each in found["members"]) == pytest.approx(1)
    names = [row["name"] for row in found["rows"]]
    assert names == ["recommended run", "all, equal weights", "chosen on validation"]
    # The means by hand, from the files of the runs.
    client = mlflow.MlflowClient(f"sqlite:///{swept}/mlflow.db")
    said = [
        read_predictions(
            Path(client.download_artifacts(each["run_id"], "predictions/test.parquet"))
        )
        for each in found["members"]
    ]
    assert all(np.array_equal(one.items, said[0].items) for one in said)
    mean = np.mean([one.probs.astype(np.float64) for one in said], axis=0)
    accuracy = (mean.argmax(1) == said[0].labels).mean()
    assert found["rows"][1]["test"]["acc_micro"] == pytest.approx(accuracy)
    chosen = read_predictions(Path(swept / found["folder"]) / "predictions/test.parquet")
    assert value_and_influence(chosen, "f1_macro")[0] == found["rows"][2]["test"]["f1_macro"]
    base = next(run for run in members if run.info.run_name == found["recommended"])
    assert found["rows"][0]["test"]["acc_micro"] == pytest.approx(
        base.data.metrics["test/acc_micro"]
    )
    sweep = next(run for run in recorded.values() if run.data.tags["frostline.kind"] == "sweep")
    assert sweep.data.metrics["test_on/ensemble/f1_macro"] == found["rows"][2]["test"]["f1_macro"]
    for run in members:
        assert not any("ensemble" in name for name in run.data.metrics)


def test_a_soup_is_a_checkpoint_that_can_be_used(swept: Path) -> None:
    found = judged(swept, "--soup")
    folder = swept / found["folder"]
    state = load_checkpoint(folder / "soup.ckpt")["state_dict"]
    client = mlflow.MlflowClient(f"sqlite:///{swept}/mlflow.db")
    taken = [each["run_id"] for each in found["members"] if each["weight"] > 0]
    states = [
        torch.load(client.download_artifacts(run_id, "checkpoints/best.ckpt"), weights_only=True)[
            "state_dict"
        ]
        for run_id in taken
    ]
    for name, tensor in state.items():
        if name.endswith(("weight", "bias")):
            mean = torch.stack([each[name].double() for each in states]).mean(0).float()
            assert torch.equal(tensor, mean), name
    checkpoint = str(folder / "soup.ckpt")
    again = start(swept, checkpoint, "--json", "--evidence", "off", module="src.evaluate")
    assert again.returncode == 0, again.stderr
    figures = json.loads(again.stdout)["figures"]
    for score in ("acc_micro", "acc_macro", "f1_macro"):
        assert figures[score] == pytest.approx(found["rows"][2]["test"][score], abs=1e-6)
    ended = start(swept, checkpoint, "photos/rising", "--coverage", "0.8", module="src.predict")
    assert ended.returncode == 0, ended.stderr
    assert "validation images" in ended.stderr
    ended = start(swept, checkpoint, "--format", "torch_export", module="src.export")
    assert ended.returncode == 0, ended.stderr
    card = (swept / "outputs/exports/soup.ckpt-torch_export/README.md").read_text("utf-8")
    names = [each["name"] for each in found["members"] if each["weight"] > 0]
    assert len(names) > 1
    assert f"with the mean weights of {len(names)} runs, fine-tuned from random weights: `" in card
    assert all(f"`{name}`" in card for name in names)


def test_backbones_and_sizes_make_an_ensemble_and_no_soup(swept: Path) -> None:
    words = [word for word in COMMON if not word.startswith("image_size")]
    ended = start(
        swept, *words, "backbone=test_resnet,test_efficientnet", "image_size=32,48", "freeze=4",
        "lr=3e-3", "seed=4",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    found = judged(swept, "--ensemble", "--no-log")
    recorded = runs(swept)
    members = [recorded[each["run_id"]].data.params for each in found["members"]]
    assert sorted((one["backbone"], one["image_size"]) for one in members) == [
        (backbone, size)
        for backbone in ("test_efficientnet", "test_resnet")
        for size in ("32", "48")
    ]
    refused = start(swept, "best:latest", "--soup", module="src.evaluate")
    assert refused.returncode == 2
    said = " ".join(refused.stderr.split())
    assert "no other run" in said and "--ensemble takes runs of any backbones" in said


def test_of_folds_those_of_one_fold_are_combined(swept: Path) -> None:
    ended = start(
        swept, *COMMON, "backbone=test_resnet", "freeze=0,3", "data.folds=3", "lr=3e-3", "seed=5"
    )
    assert ended.returncode == 0, ended.stderr
    found = judged(swept, "--soup", "--no-log")
    recorded = runs(swept)
    members = [recorded[each["run_id"]].data.params for each in found["members"]]
    assert {one["freeze"] for one in members} == {"0", "3"}
    assert len({one["data_fold"] for one in members}) == 1
    assert any("left out, 4 runs: other splits" in note for note in found["notes"])
    # The third part of the images is what one fold tests on.
    assert 38 <= found["images"] <= 42


def test_what_cannot_be_combined_is_refused(swept: Path) -> None:
    run_id = next(
        key for key, run in runs(swept).items() if run.data.tags["frostline.kind"] == "job"
    )
    for words, message in (
        ([run_id, "--ensemble"], "runs are combined within a sweep"),
        (
            ["best:latest", "--ensemble", "--split", "val"],
            "chosen on validation and judged on test",
        ),
        (["best:latest", "--soup", "--tta", "flip"], "leave --tta out"),
        (["best:latest", "--ensemble", "--soup"], "not allowed with argument"),
    ):
        refused = start(swept, *words, module="src.evaluate")
        assert refused.returncode == 2, message
        assert message in refused.stderr
    # Two seeds of one cell, each with splits of its own: nothing to combine with.
    ended = start(swept, *COMMON, "backbone=test_resnet", "freeze=4", "seed=0,1", "lr=3e-3")
    assert ended.returncode == 0, ended.stderr
    refused = start(swept, "--ensemble", module="src.evaluate")
    assert refused.returncode == 2
    assert "is the only run that could be combined" in refused.stderr
    assert "1 run: other splits" in refused.stderr
    assert "data.split_seed=0" in refused.stderr
    # One backbone each: an ensemble, but no soup; random weights of two seeds start apart.
    ended = start(
        swept, *COMMON, "backbone=test_resnet", "freeze=4", "seed=2,3", "data.split_seed=0",
        "lr=3e-3",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert len(judged(swept, "--ensemble", "--no-log")["members"]) == 2
    refused = start(swept, "--soup", module="src.evaluate")
    assert refused.returncode == 2
    assert "started from its weights" in " ".join(refused.stderr.split())

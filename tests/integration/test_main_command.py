"""The exact main command: six jobs, one parent, six children, and what a person reads of them."""

import re
import subprocess
from pathlib import Path

import pytest
import torch

from frostline.tracking.prediction_files import read_predictions
from frostline.tracking.records import RunRecord
from frostline.tracking.store import Store, open_store
from tests.integration.conftest import ROOT, TINY, start
from tests.integration.documented import commands_of

SWEEP = ("-m", "backbone=resnet50,vgg16", "freeze=0,2,4", *TINY, "epochs=1")


@pytest.fixture(scope="module")
def ended(place: Path) -> subprocess.CompletedProcess[str]:
    return start(place, *SWEEP)


@pytest.fixture(scope="module")
def store(place: Path, ended: subprocess.CompletedProcess[str]) -> Store:
    assert ended.returncode == 0, ended.stderr
    return open_store(None, "photos", folder=place)


@pytest.fixture(scope="module")
def children(store: Store) -> list[RunRecord]:
    return store.find_runs({"frostline.kind": "job"})


def test_six_finished_children_stand_under_one_parent(
    store: Store, children: list[RunRecord]
) -> None:
    (parent,) = store.find_runs({"frostline.kind": "sweep"})
    assert parent.status == "FINISHED"
    assert [child.status for child in children] == ["FINISHED"] * 6
    assert {child.parent_run_id for child in children} == {parent.run_id}
    assert {child.name for child in children} == {
        f"{backbone}-freeze{depth}-seed0"
        for backbone in ("resnet50", "vgg16")
        for depth in (0, 2, 4)
    }


def test_each_run_carries_the_parameters_that_people_sweep(children: list[RunRecord]) -> None:
    by_name = {child.name: child for child in children}
    two, four = by_name["resnet50-freeze2-seed0"], by_name["vgg16-freeze4-seed0"]
    assert (two.params["backbone"], two.params["freeze"]) == ("resnet50", "2")
    assert (two.params["frozen_stages"], two.params["image_size"]) == ("2", "32")
    assert float(two.params["frozen_params_frac"]) == pytest.approx(225_344 / 23_508_032, abs=1e-6)
    assert 0 < float(two.params["frozen_flops_frac"]) < 1
    # What is not frozen, and a linear head of two classes on 2048 or 512 features.
    assert int(two.params["trainable_params"]) == 23_508_032 - 225_344 + 2 * 2049
    assert int(four.params["trainable_params"]) == 7_079_424 + 2 * 513
    assert by_name["vgg16-freeze0-seed0"].params["frozen_params_frac"] == "0.0"


def test_each_run_carries_its_figures_and_its_origin(
    store: Store, children: list[RunRecord]
) -> None:
    wanted = {
        f"{split}/{figure}"
        for split in ("val", "val_best", "test")
        for figure in ("loss", "acc_micro", "acc_macro", "f1_macro")
    } | {"train/loss", "time/train_s", "val_best/epoch"}
    for child in children:
        assert wanted <= set(child.metrics)
        assert child.tags["frostline.weights_source"] == "random"
        assert len(child.tags["frostline.data_fingerprint"]) == 64
        assert len(child.tags["mlflow.source.git.commit"]) == 40
        files = store.list_artifacts(child.run_id)
        assert {"config.yaml", "provenance.json", "data.json"} <= set(files)
    predictions = read_predictions(
        store.fetch_artifact(children[0].run_id, "predictions/test.parquet")
    )
    assert len(predictions.labels) == 4
    assert children[0].metrics["test/acc_micro"] == pytest.approx(predictions.correct.mean())


def test_the_ending_is_a_table_best_first(ended: subprocess.CompletedProcess[str]) -> None:
    lines = [line.split() for line in ended.stdout.splitlines()]
    rows = [cells for cells in lines if cells and cells[0] in {"resnet50", "vgg16"}]
    assert len(rows) == 6
    header = next(line for line in ended.stdout.splitlines() if "backbone" in line)
    for column in (
        "freeze",
        "lr",
        "frozen",
        "trainable",
        "val acc",
        "val F1",
        "test acc",
        "test F1",
    ):
        assert column in header
    assert header.index("val F1") < header.index("val acc")
    f1 = [float(cells[6]) for cells in rows]
    assert f1 == sorted(f1, reverse=True)
    assert "make ui" in ended.stdout
    assert "report with intervals and the verdict:  " in ended.stdout


def test_progress_names_the_job_and_the_time_left(
    ended: subprocess.CompletedProcess[str],
) -> None:
    assert "[3/6] resnet50-freeze4-seed0" in ended.stderr
    assert "epoch 1/1" in ended.stderr
    assert "left 0:" in ended.stderr


def test_the_same_command_again_trains_nothing(
    place: Path, store: Store, ended: subprocess.CompletedProcess[str]
) -> None:
    again = start(place, *SWEEP)
    assert again.returncode == 0
    assert "6 jobs, 6 of them finished already" in again.stderr
    assert again.stdout.count("reused") == 6
    assert "report with intervals and the verdict:  mlartifacts/" in again.stdout
    assert again.stdout.split("MLflow:")[1] == ended.stdout.split("MLflow:")[1].replace(
        _report_in(ended.stdout), _report_in(again.stdout)
    ), "the same id, commands and headline"
    assert "loading PyTorch" not in again.stderr, "answered without it"
    assert len(store.find_runs({"frostline.kind": "job"})) == 6
    assert len(store.find_runs({})) == 1 + 6 + 6, "the sweep, its jobs, a row for each cell"


def _report_in(text: str) -> str:
    return text.split("report with intervals and the verdict:  ")[1].splitlines()[0]


def test_a_saved_run_gives_the_same_logits(store: Store, children: list[RunRecord]) -> None:
    """The checkpoint alone, loaded into a fresh timm model and head, repeats the predictions."""
    import timm

    from frostline.training.checkpoint import load_checkpoint

    child = next(run for run in children if run.name == "resnet50-freeze2-seed0")
    state = load_checkpoint(store.fetch_artifact(child.run_id, "checkpoints/best.ckpt"))
    weights = state["state_dict"]
    model = timm.create_model("resnet50", num_classes=0).eval()
    prefix = "backbone.model."
    model.load_state_dict(
        {
            key.removeprefix(prefix): value
            for key, value in weights.items()
            if key.startswith(prefix)
        }
    )
    predictions = read_predictions(store.fetch_artifact(child.run_id, "predictions/test.parquet"))
    images = _normalised(store.address.database.parent / "photos", predictions.items.tolist())  # type: ignore[union-attr]
    with torch.no_grad():
        logits = model(images) @ weights["head.0.weight"].T + weights["head.0.bias"]
    expected = torch.from_numpy(predictions.probs.astype("float32"))
    assert torch.allclose(logits.softmax(dim=1), expected, atol=2e-3)


def _normalised(root: Path, items: list[str]) -> torch.Tensor:
    """timm's own evaluation transform for resnet50 at 32 px."""
    import timm
    from PIL import Image
    from timm.data import create_transform

    cfg = timm.get_pretrained_cfg("resnet50")
    transform = create_transform(
        (3, 32, 32),
        mean=cfg.mean,
        std=cfg.std,
        interpolation=cfg.interpolation,
        crop_pct=cfg.crop_pct,
    )
    return torch.stack([transform(Image.open(root / item).convert("RGB")) for item in items])


@pytest.mark.slow
def test_the_readme_commands_run_one_after_the_other(
    place: Path, store: Store, children: list[RunRecord]
) -> None:
    """Those that train are planned only (`dry_run`): the sweep above is the first of them."""
    (parent,) = store.find_runs({"frostline.kind": "sweep"})
    known = {"ID": parent.tags["frostline.sweep_id"], "RUN": children[0].run_id}
    done = []
    for command in commands_of(ROOT / "README.md"):
        if command.words[0] != "python":
            continue
        words = [re.sub(r"\b(ID|RUN)\b", lambda m: known[m[0]], word) for word in command.words[3:]]
        if command.words[2] == "src.train" and "--cfg" not in words:
            words += ["weights=random", "dry_run=true"]
        ended = start(place, *words, module=command.words[2])
        assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
        done.append(command.words[2])
    assert {"src.train", "src.report", "src.evaluate", "src.predict", "src.export"} <= set(done)
    assert (place / "answers.csv").read_text().startswith("file,class,probability")

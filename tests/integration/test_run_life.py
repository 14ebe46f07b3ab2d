"""The life of one run: trained, judged, asked, taken away - and the numbers agree all the way."""

import csv
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from frostline.backbones.compute_mode import ComputeMode
from frostline.commands import evaluate, export, predict
from frostline.data.decode import decode_file
from frostline.data.geometry import square
from frostline.inference.rebuild import Rebuilt, rebuild_run
from frostline.tracking.prediction_files import read_predictions
from frostline.tracking.store import Store, open_store
from tests.inference.tiny_run import draw_ramps, train_tiny


@dataclass
class Life:
    place: Path
    run_id: str

    @property
    def store(self) -> Store:
        return open_store(None, "photos", folder=self.place)

    def rebuilt(self) -> Rebuilt:
        return rebuild_run(lambda: self.store, self.run_id)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path) -> Life:
    place = tmp_path_factory.mktemp("life")
    draw_ramps(place / "photos")
    shutil.copyfile(empty_store_file, place / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("FROSTLINE_CACHE", str(place / "cache"))
        patch.setenv("FROSTLINE_HOME", str(place / "home"))
        # Frozen stages of few images are not worth storing: this run computes them, as evaluate.
        run_id = train_tiny(place, "data.path=photos", "freeze=2")
    return Life(place, run_id)


@pytest.fixture(autouse=True)
def stand_in_place(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(life.place)
    monkeypatch.setenv("FROSTLINE_CACHE", str(life.place / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(life.place / "home"))
    torch.set_num_threads(1)


def said_of_test(life: Life) -> dict[str, np.ndarray]:
    """Item to probabilities, as the training wrote them (16 bits)."""
    file = life.store.fetch_artifact(life.run_id, "predictions/test.parquet")
    said = read_predictions(file)
    return dict(zip(said.items.tolist(), said.probs.astype(np.float64), strict=True))


def test_evaluate_repeats_the_logged_figures_to_the_last_digit(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    for split, prefix in (("test", "test"), ("val", "val_best")):
        evaluate.main([life.run_id, "--split", split, "--json", "--evidence", "light"])
        printed = json.loads(capsys.readouterr().out)
        metrics = life.store.get_run(life.run_id).metrics
        for name in ("loss", "acc_micro", "acc_macro", "f1_macro"):
            assert printed["figures"][name] == metrics[f"{prefix}/{name}"]
            assert metrics[f"test_on/{split}/{name}"] == metrics[f"{prefix}/{name}"]
        assert printed["logged"] == printed["figures"]
        low, high = printed["intervals_95"]["acc_micro"]
        assert low <= printed["figures"]["acc_micro"] <= high


def test_judging_a_run_changes_neither_its_state_nor_its_times(life: Life) -> None:
    before = life.store.get_run(life.run_id)
    evaluate.main([life.run_id, "--evidence", "off"])
    after = life.store.get_run(life.run_id)
    assert (after.status, after.start_ms, after.end_ms) == (
        "FINISHED", before.start_ms, before.end_ms,
    )  # fmt: skip
    steps = [point.step for point in life.store.metric_history(life.run_id, "test_on/test/loss")]
    assert steps == list(range(len(steps)))


def test_a_checkpoint_path_is_enough(life: Life, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = life.store.fetch_artifact(life.run_id, "checkpoints/best.ckpt")
    evaluate.main([str(checkpoint), "--json", "--evidence", "off"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["figures"]["loss"] == life.store.get_run(life.run_id).metrics["test/loss"]


def test_full_evidence_is_files_that_agree_with_the_figures(life: Life) -> None:
    evaluate.main([life.run_id, "--out", "judged"])
    folder = life.place / "judged" / "test"
    with (folder / "classes.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    metrics = life.store.get_run(life.run_id).metrics
    recalls = [float(row["recall"]) for row in rows]
    assert np.mean(recalls) == pytest.approx(metrics["test/acc_macro"], abs=1e-5)
    assert [row["class"] for row in rows] == ["falling", "level", "rising"]
    for name in ("confusion.png", "reliability.png", "learning_curves.png", "attribution.jpg"):
        assert (folder / name).stat().st_size > 5_000
    found = json.loads((folder / "evidence.json").read_text())
    assert 0 <= found["ece"] <= 1
    assert found["temperature"] > 0
    files = life.store.list_artifacts(life.run_id, "evaluations/test")
    assert "evaluations/test/confusion.png" in files


def test_without_the_package_of_attributions_all_else_is_written(
    life: Life, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)  # as where it is not installed
    evaluate.main([life.run_id, "--out", "without", "--no-log"])
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "attributions are" in each]
    assert line.endswith("not installed here (pip install 'frostline[export]')")
    folder = life.place / "without" / "test"
    assert not (folder / "attribution.jpg").exists()
    assert (folder / "attribution.txt").read_text() == f"{line}\n"
    figures = json.loads((folder / "figures.json").read_text())["figures"]
    assert figures["acc_micro"] == life.store.get_run(life.run_id).metrics["test/acc_micro"]
    assert 0 <= json.loads((folder / "evidence.json").read_text())["ece"] <= 1


def test_another_data_set_is_mapped_by_names(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_ramps(life.place / "field", ("Falling", "LEVEL", "spotted"), per_class=6, seed=5)
    evaluate.main([life.run_id, "--data", "field", "--json", "--evidence", "light"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["images"] == 12
    notes = "\n".join(printed["notes"])
    assert "trained on" not in notes
    assert "2 of its 3 classes" in notes
    assert "6 images left out: 'spotted'" in notes
    assert "'rising'" in notes
    metrics = life.store.get_run(life.run_id).metrics
    assert metrics["test_on/field/acc_micro"] == printed["figures"]["acc_micro"]
    # Macro figures are over the two classes that are there.
    said = read_predictions(Path(printed["folder"]) / "predictions.parquet")
    recalls = [said.correct[said.labels == k].mean() for k in (0, 1)]
    assert printed["figures"]["acc_macro"] == pytest.approx(np.mean(recalls))
    evaluate.main(
        [life.run_id, "--data", "field", "--map", "spotted=rising", "--json", "--evidence", "off"]
    )
    assert json.loads(capsys.readouterr().out)["images"] == 18


def test_images_of_one_class_are_judged_and_what_needs_more_is_blank(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_ramps(life.place / "one", ("rising",), per_class=6, seed=5)
    evaluate.main([life.run_id, "--data", "one", "--json", "--evidence", "full"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["images"] == 6
    said = read_predictions(Path(printed["folder"]) / "predictions.parquet")
    assert printed["figures"]["acc_micro"] == pytest.approx(said.correct.mean())
    assert printed["figures"]["acc_macro"] == pytest.approx(said.correct.mean())
    assert printed["figures"]["f1_macro"] is None
    assert "f1_macro" not in printed["intervals_95"]
    assert "test_on/one/f1_macro" not in life.store.get_run(life.run_id).metrics
    evaluate.main([life.run_id, "--data", "one", "--evidence", "off"])
    assert "needs images of several classes" in capsys.readouterr().out


def test_its_own_data_with_other_settings_are_other_data(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.main([life.run_id, "--data", "rename={level: steady}", "--json", "--evidence", "off"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["images"] == 32
    assert any("16 images left out: 'steady'" in note for note in printed["notes"])
    assert "images that it was trained on are among these" in printed["notes"][0]
    logged = life.store.get_run(life.run_id).metrics
    assert logged["test_on/photos-rename__level__steady_/loss"] == printed["figures"]["loss"]


def test_the_same_images_at_another_place_are_the_runs_own(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(life.place / "photos", life.place / "elsewhere" / "photos")
    evaluate.main([life.run_id, "--data", "elsewhere/photos", "--json", "--evidence", "off"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["largest_difference"] == 0
    assert set(printed["logged"]) == {"loss", "acc_micro", "acc_macro", "f1_macro"}
    n = printed["images"]
    assert printed["notes"] == [f"photos is the run's own data: its test split, {n} of 48 images"]
    few = "3 of 3 classes ('falling', 'level', 'rising') have fewer than 5 images"
    assert printed["caution"].startswith(few)
    with pytest.raises(SystemExit):
        evaluate.main([life.run_id, "--data", "elsewhere/photos", "--map", "Levle=level"])
    assert "unknown classes: 'Levle'; nearest: Levle -> level" in capsys.readouterr().err


def test_a_wrong_name_is_refused_before_the_network_is_loaded(
    life: Life, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("frostline.training.engine.prepare_process", loaded)
    with pytest.raises(SystemExit):
        evaluate.main([life.run_id, "--data", "photos", "--map", "even=levl"])
    assert "unknown classes: 'levl'; nearest: levl -> level" in capsys.readouterr().err


def test_changed_data_are_not_taken_for_the_test_split(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    image = life.place / "photos" / "level" / "00.png"
    kept = image.read_bytes()
    image.write_bytes((life.place / "photos" / "rising" / "00.png").read_bytes())
    try:
        with pytest.raises(SystemExit) as ended:
            evaluate.main([life.run_id])
    finally:
        image.write_bytes(kept)
    assert ended.value.code == 2
    assert "has changed since" in capsys.readouterr().err


def test_predict_says_what_training_said(life: Life) -> None:
    bad = life.place / "bad"
    bad.mkdir()
    (bad / "cut.png").write_bytes((life.place / "photos/level/00.png").read_bytes()[:900])
    predict.main(
        [life.run_id, "photos", "bad/cut.png", "--out", "said.csv", "--precision", "float32"]
    )
    with (life.place / "said.csv").open() as handle:
        rows = {row["file"]: row for row in csv.DictReader(handle)}
    assert len(rows) == 49
    assert rows["bad/cut.png"]["class"] == ""
    assert "damaged" in rows["bad/cut.png"]["error"]
    classes = ["falling", "level", "rising"]
    for item, probs in said_of_test(life).items():
        row = rows[f"photos/{item}"]
        assert row["class"] == classes[int(probs.argmax())]
        assert float(row["probability"]) == pytest.approx(probs.max(), abs=1e-3)
        assert row["error"] == ""


@pytest.mark.parametrize("form", ["onnx", "torchscript", "timm"])
def test_export_says_what_training_said(life: Life, form: str) -> None:
    export.main([life.run_id, "--format", form, "--out", f"taken/{form}"])
    folder = life.place / "taken" / form
    card = (folder / "README.md").read_text()
    assert "| accuracy |" in card
    assert "Known limits" in card
    rebuilt = life.rebuilt()
    said = said_of_test(life)
    squares = np.stack(
        [square(decode_file(life.place / "photos" / i), rebuilt.geometry) for i in said]
    )
    images = np.ascontiguousarray(squares.transpose(0, 3, 1, 2))
    probs = {"onnx": by_onnx, "torchscript": by_torchscript, "timm": by_timm}[form](folder, images)
    assert np.allclose(probs, np.stack(list(said.values())), atol=1e-3)


def by_onnx(folder: Path, images: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == ["falling", "level", "rising"]
    assert json.loads(metadata["preprocessing"])["size_px"] == 64
    return np.asarray(session.run(["probabilities"], {"images": images})[0])


def by_torchscript(folder: Path, images: np.ndarray) -> np.ndarray:
    extra = {"frostline.json": ""}
    model = torch.jit.load(str(folder / "model.pt"), _extra_files=extra)
    assert json.loads(extra["frostline.json"])["classes"] == ["falling", "level", "rising"]
    with torch.no_grad():
        return np.asarray(model(torch.from_numpy(images))[1])


def by_timm(folder: Path, images: np.ndarray) -> np.ndarray:
    """Nothing of ours: timm's model, timm's preprocessing values."""
    import timm

    by_path = timm.create_model(
        "test_resnet", num_classes=3, checkpoint_path=str(folder / "model.safetensors")
    ).eval()
    local = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    config = timm.data.resolve_model_data_config(local)
    assert tuple(config["input_size"]) == (3, 64, 64)
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    ready = (torch.from_numpy(images).float() / 255 - mean) / std
    with torch.no_grad():
        one, other = by_path(ready), local(ready)
    assert torch.equal(one, other)
    return one.softmax(dim=1).numpy()


@pytest.mark.slow
def test_a_run_computed_in_two_ways_is_repeated_too(
    life: Life, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from frostline.training import precision_probe as probe

    def found(*_: object, **__: object) -> probe.FastestModes:
        return probe.FastestModes(
            ComputeMode("bf16-mixed", "contiguous"), ComputeMode("32-true"), seconds={}
        )

    monkeypatch.setattr(probe, "fastest_modes", found)
    run_id = train_tiny(
        life.place, "data.path=photos", "freeze=3", "trainer.precision=fastest", "reuse=off"
    )
    evaluate.main([run_id, "--json", "--evidence", "off"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["logged"] == printed["figures"]
    assert len(printed["logged"]) == 4


def test_a_run_judged_on_few_batches_is_not_compared_with_what_it_logged(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = train_tiny(life.place, "data.path=photos", "freeze=2", "trainer.limit_batches=1")
    evaluate.main([run_id, "--json", "--evidence", "off"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["logged"] == {} and printed["figures"]
    assert any("of 1 batches (trainer.limit_batches)" in note for note in printed["notes"])

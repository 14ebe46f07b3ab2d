"""Runs on images of one and of five channels answer alike wherever they are asked."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.commands import evaluate, predict
from frostline.inference.formats.write_export import export_run, sample_of
from frostline.inference.predictor import Predictor
from frostline.inference.rebuild import Rebuilt, rebuild_run
from frostline.tracking.store import open_store
from tests.inference.tiny_run import CLASSES, draw_ramps, train_tiny

FORMS = ("onnx", "onnx of any size", "torch_export", "torchscript", "timm")


def draw_fields(root: Path, per_class: int = 12) -> None:
    """Arrays of five channels of 12 bits, whose last channel falls, stays level or rises."""
    rng = np.random.default_rng(1)
    ramp = np.linspace(0, 2400, 72)[None, :]
    kinds = (ramp[:, ::-1], np.full_like(ramp, 1200.0), ramp)
    for name, kind in zip(CLASSES, kinds, strict=True):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            values = rng.integers(0, 1600, (72, 72, 5))
            values[:, :, 4] += np.rint(kind).astype(int)
            np.save(root / name / f"{number:02}.npy", values.astype(np.uint16))


@pytest.fixture(scope="module", params=[1, 5])
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Rebuilt, Path, str]:
    folder = tmp_path_factory.mktemp(f"channels{request.param}")
    (draw_ramps if request.param == 1 else draw_fields)(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FROSTLINE_CACHE", str(folder / "cache"))
        run = train_tiny(
            folder, f"data.path={folder / 'data'}", f"in_chans={request.param}", "epochs=2",
            "freeze=1", "data.split_seed=0", "evidence=full",
        )  # fmt: skip
        rebuilt = rebuild_run(lambda: open_store(None, "Default"), run)
    return rebuilt, folder, run


def test_the_run_records_its_channels(trained: tuple[Rebuilt, Path, str]) -> None:
    rebuilt, _, _ = trained
    in_chans = rebuilt.settings.in_chans
    assert rebuilt.record is not None
    assert rebuilt.backbone.input.in_chans == in_chans
    assert next(rebuilt.backbone.model.parameters()).shape[1] == in_chans
    assert rebuilt.record.tags["frostline.channels"].startswith(f"{in_chans}, mean (0.5,")


def test_evaluation_gives_the_logged_figures(
    trained: tuple[Rebuilt, Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, folder, run = trained
    monkeypatch.chdir(folder)
    evaluate.main([run])
    assert "the same as logged, to the last digit" in capsys.readouterr().out
    evaluate.main([run, "--data", str(folder / "data"), "--split", "all", "--json"])
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("form", FORMS)
def test_exports_answer_as_the_run(
    form: str, trained: tuple[Rebuilt, Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rebuilt, folder, _ = trained
    monkeypatch.chdir(folder)
    sample = sample_of(rebuilt, [])
    done = export_run(
        rebuilt, form.split()[0], tmp_path / "out", sample, None, any_size=form.endswith("size")
    )
    assert done.difference <= 1e-4
    assert done.n_tried == 4
    assert done.script_difference <= 1e-4
    facts = json.loads((tmp_path / "out" / "inference.json").read_text())["preprocessing"]
    assert facts["in_chans"] == rebuilt.settings.in_chans
    card = (tmp_path / "out" / "README.md").read_text()
    assert ("grey of 8 bits" if facts["in_chans"] == 1 else "The 5 channels of an image") in card
    assert "{" not in card.split("## Input")[1].split("##")[0]


def test_predictions_of_files_are_those_of_the_data_set(
    trained: tuple[Rebuilt, Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rebuilt, folder, run = trained
    monkeypatch.chdir(folder)
    predict.main([run, str(folder / "data"), "--json", "--top", "3"])
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == sum(1 for path in (folder / "data").rglob("*.*"))
    assert not any(row.get("error") for row in rows)
    predictor = Predictor(
        rebuilt.network, rebuilt.preprocess, rebuilt.geometry, "cpu", "32-true",
        rebuilt.value_range,
    )  # fmt: skip
    (one,) = predictor.answers([Path(rows[0]["file"])], top=1, batch_size=1)
    assert one.probs[0] == pytest.approx(rows[0]["top"][0]["probability"], abs=1e-5)


def test_a_photo_in_colour_is_grey_for_one_channel_and_an_error_for_five(
    trained: tuple[Rebuilt, Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    rebuilt, folder, run = trained
    monkeypatch.chdir(folder)
    Image.new("RGB", (80, 60), (10, 200, 90)).save(tmp_path / "photo.png")
    Image.new("L", (80, 60), 10).save(tmp_path / "grey.png")
    if rebuilt.settings.in_chans == 1:
        predict.main([run, str(tmp_path), "--json"])
        assert not any(row.get("error") for row in json.loads(capsys.readouterr().out))
        return
    with pytest.raises(SystemExit) as caught:
        predict.main([run, str(tmp_path), "--json"])
    assert caught.value.code == 1
    errors = [row["error"] for row in json.loads(capsys.readouterr().out)]
    assert errors == [
        "it has 1 channel (L), and in_chans=5", "it has 3 channels (RGB), and in_chans=5",
    ]  # fmt: skip

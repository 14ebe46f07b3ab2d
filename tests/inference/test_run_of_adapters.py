"""A run of `freeze=lora` in use: evaluated, predicted with and exported, as any other network."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from frostline.commands import evaluate, export, predict
from tests.inference.tiny_run import draw_ramps, train_tiny


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_store_uri: str) -> str:
    pytest.importorskip("peft", reason="in a folder of its own: make test-lora")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", fresh_store_uri)
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    draw_ramps(tmp_path / "photos")
    return train_tiny(
        tmp_path, "data.path=photos", "backbone=test_vit", "freeze=lora", "lr=1e-2", "augment=none"
    )


def test_it_is_evaluated_predicted_with_and_exported(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.main([run, "--json", "--evidence", "off"])
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["largest_difference"] == 0 and len(evaluated["logged"]) == 4
    predict.main([run, "photos/rising/00.png", "photos/level/00.png", "--json"])
    answers = json.loads(capsys.readouterr().out)
    assert [answer["error"] for answer in answers] == [None, None]
    # Each format compares itself with the network before it is written: else it would end here.
    for form in ("onnx", "torch_export", "timm"):
        export.main([run, "--format", form, "--out", str(tmp_path / form)])
    capsys.readouterr()
    (file,) = (tmp_path / "onnx").rglob("*.onnx")
    session = onnxruntime.InferenceSession(str(file))
    (given,) = session.get_inputs()
    shape = [each if isinstance(each, int) else 2 for each in given.shape]
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    outputs = session.run(None, {given.name: images})[0]
    assert outputs.shape == (2, 3) and np.isfinite(outputs).all()
    assert not np.allclose(outputs[0], outputs[1])
    assert list((tmp_path / "torch_export").rglob("*.pt2"))
    assert list((tmp_path / "timm").rglob("*.safetensors"))

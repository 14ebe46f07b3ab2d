"""Test-time augmentation: means over views, plain results left alone, and a warning by numbers.

Left and right differ in the ramps, so their mirror images belong to other classes: here
`--tta flip` must hurt, and the command must say so.
"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from frostline.commands import evaluate, predict
from frostline.inference.rebuild import rebuild_run
from frostline.inference.test_time import mean_over_views
from frostline.stats.predictions import Predictions
from frostline.stats.two_models import difference_of
from frostline.tracking.prediction_files import read_predictions
from frostline.tracking.store import open_store
from tests.inference.tiny_run import draw_ramps, save_untrained, train_tiny


def predictions(correct: list[bool], names: str = "i") -> Predictions:
    probs = np.array([[0.9, 0.1] if right else [0.2, 0.8] for right in correct], np.float16)
    items = np.array([f"{names}{n:03d}" for n in range(len(correct))])
    return Predictions(items, items, np.zeros(len(correct), np.int64), probs)


def test_the_mean_is_of_probabilities_not_of_logits() -> None:
    logits = [torch.tensor([[0.0, 0.0]]), torch.tensor([[200.0, 0.0]])]
    mean = torch.softmax(mean_over_views(logits), dim=1)
    assert mean.tolist() == [pytest.approx([0.75, 0.25])]
    assert mean_over_views([torch.tensor([[500.0, 0.0]])] * 2).isfinite().all()


def test_two_models_are_compared_image_by_image() -> None:
    old = predictions([True] * 60 + [False] * 40)
    better = predictions([True] * 90 + [False] * 10)
    found = difference_of(better, old, "acc_micro")
    assert found.value == pytest.approx(0.3)
    assert found.low < 0.3 < found.high
    assert found.verdict == "better" and difference_of(old, better, "acc_micro").verdict == "worse"
    same = difference_of(old, old, "acc_micro")
    assert (
        same.value == 0 and same.low < 0 < same.high and same.verdict == "cannot be distinguished"
    )
    with pytest.raises(ValueError, match="other items"):
        difference_of(better, predictions([True] * 100, "j"), "acc_micro")


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_store_uri: str) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", fresh_store_uri)
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    draw_ramps(tmp_path / "photos", per_class=60)
    return train_tiny(tmp_path, "data.path=photos", "augment=none", "epochs=6", "lr=1e-2")


def test_evaluate_shows_both_and_leaves_plain_results_alone(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(None, "photos")
    evaluate.main([trained, "--evidence", "light"])
    kept = {file: file.read_bytes() for file in tmp_path.glob("outputs/evaluations/*/test/*")}
    assert kept
    capsys.readouterr()
    evaluate.main([trained, "--tta", "flip", "--evidence", "light", "--json"])
    shown = json.loads(capsys.readouterr().out)
    metrics = store.get_run(trained).metrics
    assert shown["tta"]["views"] == "flip"
    assert shown["largest_difference"] == 0
    for name in ("loss", "acc_micro", "f1_macro"):
        assert shown["tta"]["plain"][name] == metrics[f"test/{name}"]
        assert metrics[f"test_on/test/{name}"] == metrics[f"test/{name}"]
        assert metrics[f"test_on/test-tta_flip/{name}"] == shown["figures"][name]
    assert {file: file.read_bytes() for file in kept} == kept
    # The mean by hand, from the network and the images themselves.
    rebuilt = rebuild_run(lambda: store, trained)
    said = read_predictions(Path(shown["folder"]) / "predictions.parquet")
    for item, probs in list(zip(said.items, said.probs, strict=True))[:4]:
        image = torch.from_numpy(np.array(_square(rebuilt, str(item)))).permute(2, 0, 1)[None]
        with torch.inference_mode():
            each = [
                torch.softmax(rebuilt.network(rebuilt.preprocess.normalise(one)), dim=1)
                for one in (image, image.flip(-1))
            ]
        assert probs == pytest.approx(torch.stack(each).mean(0)[0].numpy(), abs=2e-3)
    # Mirror images are of another class: it is worse, and both splits say so.
    for split in ("on_these", "on_validation"):
        low, high = (shown["tta"]["difference_95"][split]["acc_micro"][k] for k in ("low", "high"))
        assert low < high < 0, split
    evaluate.main([trained, "--tta", "flip", "--evidence", "off", "--no-log"])
    lines = capsys.readouterr().out.splitlines()
    assert "on its own test split, --tta flip" in lines[0]
    assert lines[1].split() == ["plain", "--tta", "flip", "difference,", "95", "%", "interval"]
    assert "the plain figures: the same as logged, to the last digit" in lines
    assert sum(line.endswith(" worse") for line in lines) >= 4


def _square(rebuilt: object, item: str) -> np.ndarray:
    from frostline.data.geometry import square

    image = Image.open(Path("photos") / item).convert("RGB")
    return square(image, rebuilt.geometry)  # type: ignore[attr-defined]


def test_predict_averages_the_photo_and_its_mirror_image(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("some", "mirrored"):
        (tmp_path / folder).mkdir()
    for file in sorted((tmp_path / "photos" / "rising").glob("*.png"))[:4]:
        Image.open(file).save(tmp_path / "some" / file.name)
        ImageOps.mirror(Image.open(file)).save(tmp_path / "mirrored" / file.name)
    said = []
    for words in (["some"], ["mirrored"], ["some", "--tta", "flip"]):
        predict.main([trained, *words, "--top", "3"])
        captured = capsys.readouterr()
        said.append([_by_class(row) for row in csv.DictReader(captured.out.splitlines())])
    plain, mirrored, mean = said
    assert "--tta flip" in captured.err
    for one, other, both in zip(plain, mirrored, mean, strict=True):
        for name, probability in both.items():
            # Resizing rounds a mirrored file a little otherwise.
            assert probability == pytest.approx((one[name] + other[name]) / 2, abs=5e-3)
    apart = [abs(one[k] - both[k]) for one, both in zip(plain, mean, strict=True) for k in both]
    assert max(apart) > 0.1


def _by_class(row: dict[str, str]) -> dict[str, float]:
    names = ["", "_2", "_3"]
    return {row[f"class{end}"]: float(row[f"probability{end}"]) for end in names}


def test_sets_of_averaged_answers_are_calibrated_by_averaged_ones(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = [trained, "photos/rising", "--coverage", "0.8", "--json"]
    predict.main(call)
    plain = capsys.readouterr()
    predict.main([*call, "--tta", "flip"])
    tta = capsys.readouterr()
    assert "with --tta flip, to judge by" in tta.err
    # The plain network knows them; averaged with mirror images it does not, so sets must be larger.
    sizes = [np.mean([len(one["set"]) for one in json.loads(text.out)]) for text in (plain, tta)]
    assert sizes[0] < 1.3 and sizes[1] > 1.5
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    with pytest.raises(SystemExit) as end:
        predict.main([trained, "elsewhere/rising", "--coverage", "0.8", "--tta", "flip"])
    assert end.value.code == 2
    assert "no longer at photos" in capsys.readouterr().err


def test_a_rectangle_is_not_turned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    draw_ramps(tmp_path / "photos", per_class=3)
    checkpoint = str(save_untrained(tmp_path, "image_size=[64,96]"))
    with pytest.raises(SystemExit) as end:
        evaluate.main([checkpoint, "--data", "photos", "--tta", "dihedral"])
    assert end.value.code == 2
    assert "turns images by 90 degrees" in capsys.readouterr().err

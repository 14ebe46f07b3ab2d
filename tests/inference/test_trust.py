"""Sets, calibrated probabilities and the warning: their rules, their words, what is refused."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.prediction_sets import DRAWN, coverage_figure
from frostline.commands import predict
from frostline.errors import ConfigError
from frostline.inference.trust.coverage import check_coverage, prediction_sets, share_of
from frostline.inference.trust.temperature import temperature_of
from frostline.inference.trust.trust import trust_of
from frostline.inference.trust.unlike import Unlike
from frostline.stats.nearest import neighbour_distances
from frostline.stats.predictions import Predictions
from frostline.tracking.prediction_files import write_predictions
from tests.inference.tiny_run import draw_ramps, save_untrained, train_tiny


def predictions(n=200, *, size=1, seed=0, sharp=1.0, classes=3):
    """Predictions whose probabilities are right at sharp=1, and too sure above."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, classes))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(classes, p=row) for row in probs])
    sure = probs**sharp / (probs**sharp).sum(axis=1, keepdims=True)
    groups = np.array([f"g{k // size}" for k in range(n)])
    items = np.array([f"i{k:04d}" for k in range(n)])
    return Predictions(items, groups, labels, sure.astype(np.float16))


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 1.5, float("nan")])
def test_a_coverage_that_is_none(coverage):
    with pytest.raises(ConfigError, match="above 0 and below 1"):
        check_coverage(coverage)


def test_a_coverage_that_needs_more_groups_than_there_are():
    few = predictions(24, size=3)  # 8 groups
    with pytest.raises(ConfigError, match=r"24 validation images of 8 groups, and 9 groups"):
        prediction_sets(few, 0.9)
    assert prediction_sets(few, 0.88).n_groups == 8
    with pytest.raises(ConfigError, match="99 groups are needed"):
        prediction_sets(predictions(98), 0.99)


def test_the_temperature_undoes_what_is_too_sure():
    found = temperature_of(predictions(3000, sharp=2.0))
    assert found.value == pytest.approx(2.0, rel=0.1) and found.why_not == ""
    sure = np.array([[0.8, 0.2, 0.0]], dtype=np.float32)
    plain = np.array([[0.8, 0.2, 0.0]]) ** (1 / found.value)
    assert found.calibrated(sure) == pytest.approx(plain / plain.sum(), abs=1e-6)
    right = predictions(3000)
    assert temperature_of(right).value == pytest.approx(1.0, rel=0.1)


def test_where_no_temperature_can_be_told_probabilities_stay():
    few = temperature_of(predictions(57, size=3))
    assert "19 groups of validation images are fewer than 20" in few.why_not
    every = predictions(60)
    known = Predictions(every.items, every.groups, every.predicted, every.probs)
    assert "all validation images are recognised" in temperature_of(known).why_not
    probs = np.array([[0.7, 0.3]], dtype=np.float32)
    assert few.calibrated(probs) is probs


def test_a_share_counts_groups():
    hits = np.repeat([True, False, True, True, True], 20)
    groups = np.repeat(list("abcde"), 20)
    grouped, single = share_of(hits, groups), share_of(hits, np.arange(100).astype(str))
    assert grouped.value == single.value == 0.8
    assert grouped.low < 0.5 < 0.7 < single.low


def test_fewer_than_asked_on_test_is_a_warning():
    val = predictions(400)
    worse = predictions(400, seed=1)
    wrong = Predictions(worse.items, worse.groups, (worse.labels + 1) % 3, worse.probs)
    text = "\n".join(trust_of({"val": val, "test": wrong}, 0.9, "no images").lines())
    assert "WARNING: fewer than asked" in text
    assert "cannot tell whether a picture is unlike the training images: no images" in text
    text = "\n".join(trust_of({"val": val, "test": predictions(400, seed=2)}, 0.9, "-").lines())
    assert "WARNING" not in text and "400 test images of 400 groups" in text
    assert "not measured" in "\n".join(trust_of({"val": val}, 0.9, "-").lines())


def test_the_figure_of_how_often_sets_hold_the_truth():
    """The rule alone holds what is asked; sets as given at least as often as the top class."""
    every = predictions(1200)
    _, given, rule = coverage_figure([("t", every)], 20).series
    asked = [100 * coverage for coverage in DRAWN]
    assert rule.y == pytest.approx(asked, abs=2)
    top = 100 * every.correct.mean()
    assert min(given.y) == pytest.approx(top, abs=2)
    assert given.y == pytest.approx([max(share, top) for share in asked], abs=2.5)
    assert all(low <= y <= high for low, y, high in zip(rule.low, rule.y, rule.high, strict=True))


def test_neighbours_by_angle():
    reference = np.eye(4, dtype=np.float32)
    far = np.array([[-1, 0, 0, 0]], dtype=np.float32)
    near = np.array([[9, 0, 0, 0], [1, 1, 0, 0]], dtype=np.float32)
    assert neighbour_distances(near, reference, k=1) == pytest.approx([0, 0.76537], abs=1e-4)
    assert neighbour_distances(near, reference, k=9) == pytest.approx([2**0.5] * 2)
    share = share_of(np.array([True, False]), np.array(["a", "b"]))
    rule = Unlike(np.repeat(reference, 5, axis=0), 1.0, share)
    assert rule.warned(np.vstack([near, far])).tolist() == [False, False, True]


def test_answers_hold_sets_calibrated_probabilities_and_warnings():
    share = share_of(np.array([True, False]), np.array(["a", "b"]))
    rule = Unlike(np.repeat(np.eye(2, dtype=np.float32), 5, axis=0), 1.0, share)
    trust = trust_of({"val": predictions(3000, sharp=2.0)}, 0.9, rule)
    probs = torch.tensor([[0.05, 0.6, 0.35], [0.001, 0.001, 0.998]])
    features = np.array([[1, 0], [-1, -1]], dtype=np.float32)
    one, other = trust.answers(probs, features, 2)
    assert one.top == (1, 2) and one.members[:2] == (1, 2) and one.unlike is False
    assert other.members == (2,) and other.unlike is True
    assert one.probs[0] == pytest.approx(0.487, abs=0.02)  # the temperature is 2


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    draw_ramps(tmp_path / "photos", per_class=4)
    return save_untrained(tmp_path)


def ended(call, capsys):
    with pytest.raises(SystemExit) as end:
        predict.main(call)
    assert end.value.code == 2
    return capsys.readouterr().err


def test_what_the_command_refuses(checkpoint, capsys):
    call = [str(checkpoint), "photos", "--coverage"]
    assert "above 0 and below 1" in ended([*call, "1"], capsys)
    assert "no recorded predictions for its validation images" in ended([*call, "0.9"], capsys)
    made = predictions(10)
    file = checkpoint.parent.parent / "predictions" / "val.parquet"
    write_predictions(file, made.items, made.groups, made.labels, made.probs)
    assert "99 groups are needed" in ended([*call, "0.99"], capsys)
    made = predictions(10, classes=5)
    write_predictions(file, made.items, made.groups, made.labels, made.probs)
    assert "5 classes" in ended([*call, "0.9"], capsys)


def test_a_run_that_was_trained(tmp_path, monkeypatch, fresh_store_uri, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", fresh_store_uri)
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    draw_ramps(tmp_path / "photos", per_class=40)
    run_id = train_tiny(tmp_path, "data.path=photos")
    draw_ramps(tmp_path / "new", per_class=5, seed=9)
    Image.new("RGB", (72, 72), (255, 0, 255)).save(tmp_path / "new" / "odd.png")
    predict.main([run_id, "new", "--coverage", "0.8"])
    captured = capsys.readouterr()
    rows = list(csv.DictReader(captured.out.splitlines()))
    assert list(rows[0])[-3:] == ["set", "unlike_training", "error"]
    assert "24 validation images of 24 groups" in captured.err
    assert "false alarms on 24 test images" in captured.err
    for row in rows:
        assert row["set"].split(" | ")[0] == row["class"]
    assert {row["file"]: row["unlike_training"] for row in rows}["new/odd.png"] == "yes"
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    predict.main([run_id, "new", "--coverage", "0.8", "--json"])
    captured = capsys.readouterr()
    assert "cannot tell whether a picture is unlike" in captured.err
    answers = json.loads(captured.out)
    assert {one["unlike_training"] for one in answers} == {None}
    assert [one["set"] for one in answers] == [row["set"].split(" | ") for row in rows]

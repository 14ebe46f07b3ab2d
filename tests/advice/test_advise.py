"""What `src.advise` takes and refuses, how it ranks, what it prints."""

import json

import numpy as np
import pytest
from PIL import Image

from frostline.advice.measures.familiarity import Familiarity
from frostline.advice.measures.measurement import Measured, Size, StageScore, measured_from
from frostline.advice.quadrants import OBJECTIONS, STRATEGIES, objections_to
from frostline.advice.ranking import (
    BASELINE,
    Reliability,
    rank_backbones,
    rank_depths,
    reliabilities,
)
from frostline.advice.request import next_command, read_request, with_path
from frostline.advice.similarity import references_for, similarity_of
from frostline.backbones.packaged_weights import find_packaged
from frostline.commands.advise import main
from frostline.data.source_words import source_of
from frostline.errors import BackboneError, ConfigError

LITE = "tf_efficientnet_lite0"
needs_lite = pytest.mark.skipif(find_packaged(LITE) is None, reason="packaged weights are missing")


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def measured(name, knn, *, width=0.05):
    stages = tuple(StageScore(k, 0.1 * k, score, -score, width) for k, score in enumerate(knn))
    familiarity = Familiarity(0.2, 0.01, 0.7, 0.2, 0.002)
    size = Size(100, 100, 4, 25.0, 20, 1.5)
    return Measured(name, "packaged", "abc", 224, 100, size, stages, familiarity, "", 1.0)


def photos(root, *, classes=2, per_class=30, side=32):
    rng = np.random.default_rng(0)
    for label in range(classes):
        folder = root / f"class{label}"
        folder.mkdir(parents=True)
        for number in range(per_class):
            pixels = rng.integers(0, 120, (side, side, 3)) + 60 * label
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return root


def test_depths_by_score_and_by_the_baseline():
    stages = measured("a", [0.1, 0.3, 0.5, 0.4]).stages
    assert rank_depths(stages, "knn") == ["2", "all", "1", "0"]
    assert rank_depths(stages, "probe") == ["all", "2", "1", "0"]
    assert rank_depths(stages, BASELINE) == ["0", "1", "2", "all"]


def test_backbones_by_their_last_features_with_ties():
    result = rank_backbones(
        [measured("low", [0, 0.4]), measured("best", [0, 0.9]), measured("near", [0, 0.85])]
    )
    assert [(one.backbone, one.tied) for one in result] == [
        ("best", True),
        ("near", True),
        ("low", False),
    ]


def test_reliability_is_read_best_first(tmp_path):
    assert reliabilities(tmp_path / "none.json") == []
    entry = {"low": -0.1, "high": 0.5, "cells": 18}
    rankings = [{"measure": "knn", "tau": 0.1, **entry}, {"measure": "logme", "tau": 0.3, **entry}]
    file = tmp_path / "reliability.json"
    file.write_text(json.dumps({"rankings": rankings}))
    assert reliabilities(file)[0] == Reliability("logme", 0.3, -0.1, 0.5, 18)


def test_measurements_survive_json():
    one = measured("a", [0.1, 0.2])
    assert measured_from(json.loads(json.dumps(one.plain()))) == one


def test_every_strategy_has_its_critics():
    assert set(OBJECTIONS) == set(STRATEGIES.values())
    assert any("8.85" in text for text in objections_to("small_similar"))
    assert any("Lee" in text for text in objections_to("large_different"))


def test_references_are_by_weights_and_another_extractor_is_reported():
    result, caveat = references_for("renamed", references_digest())
    assert caveat == ""
    assert {one.kind for one in result} == {"similar", "different", "between"}
    _, caveat = references_for("resnet50", "0" * 64)
    assert "measured with tf_efficientnet_lite0 and its own weights, not with resnet50" in caveat


def references_digest():
    from frostline.advice.similarity import REFERENCES_FILE

    return json.loads(REFERENCES_FILE.read_text())["backbones"][LITE]["weights_digest"]


@needs_lite
def test_the_references_belong_to_the_packaged_weights():
    from frostline.backbones.build import build_backbone

    digest = build_backbone(LITE, weights="pretrained", image_size=64, seed=0).weights.digest
    assert references_digest() == digest


def test_measured_photographs_and_drawings_fall_on_their_sides():
    for name in ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2"):
        from frostline.advice.similarity import REFERENCES_FILE

        digest = json.loads(REFERENCES_FILE.read_text())["backbones"][name]["weights_digest"]
        references, _ = references_for(name, digest)
        for one in references:
            place = similarity_of(one.confidence, 0.0, one.agreement, 0.0, references).position
            assert (place < 0.5) == (one.kind == "different"), (name, one.name, place)


def test_the_source_follows_the_path(tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "dataset_dict.json").touch()
    for path, source in (
        (tmp_path, "folder"),
        ("x/labels.csv", "csv"),
        ("x/all.tar.gz", "archive"),
        (tmp_path / "saved", "hub"),
    ):
        assert source_of([f"data.path={path}"]) == source
    assert source_of(["data.n_images=50"]) == "leaves"


def test_several_backbones_and_data_keys(tmp_path):
    result = read_request(
        [f"data.path={tmp_path}", "backbone=resnet50,vgg16,resnet50", "data.val_frac=0.3"]
    )
    assert [one.backbone for one in result] == ["resnet50", "vgg16"]
    assert {one.data.val_frac for one in result} == {0.3}


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["data.path=no/such"], ConfigError, "no such file or folder"),
        (["backbone=resnet5O"], BackboneError, "nearest names: resnet50"),
        (["backbone=,"], ConfigError, "no name is given"),
        (["freeze=2"], ConfigError, "src.advise does not take it"),
        (["data.pth=x"], ConfigError, "data.pth: there is no such key"),
    ],
)
def test_requests_that_are_refused(words, error, message):
    with pytest.raises(error) as caught:
        read_request(words)
    assert message in str(caught.value)


def test_two_paths_are_no_request():
    with pytest.raises(ConfigError, match="a b: advice is about one data set"):
        with_path(["a", "seed=1", "b"])


def test_the_next_command_can_be_pasted():
    line = next_command(["data.path=my leaves", "data.val_frac=0.3", "seed=4"], ["a", "b"], "x,y")
    assert line == (
        "python -m src.train -m data=folder 'data.path=my leaves' data.val_frac=0.3 backbone=a,b "
        "strategy=x,y seed=0,1,2"
    )


def test_twelve_images_are_too_few_to_choose(tmp_path, capsys):
    main([str(photos(tmp_path / "few", per_class=6))])
    text = capsys.readouterr().out
    assert "NO STRATEGY CAN BE CHOSEN: 12 images in all" in text
    assert "python -m src.train -m" in text


@pytest.mark.parametrize(("classes", "message"), [(50, "too few images to split"), (0, "error: ")])
def test_one_image_a_class_and_no_classes_are_errors(tmp_path, capsys, classes, message):
    place = photos(tmp_path / "odd", classes=classes, per_class=1)
    place.mkdir(exist_ok=True)
    if not classes:
        for number in range(50):
            Image.new("RGB", (32, 32), (number, 0, 0)).save(place / f"{number}.png")
    with pytest.raises(SystemExit) as caught:
        main([f"data.path={place}"])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_random_weights_have_no_similarity(tmp_path, capsys):
    place = photos(tmp_path / "photos", per_class=40)
    out = tmp_path / "page.html"
    main([f"data.path={place}", "backbone=test_vit", "weights=random", "--out", str(out)])
    text = capsys.readouterr().out
    assert (
        "NO STRATEGY CAN BE CHOSEN: similarity has no meaning here: random weights know no classes"
        in text
    )
    assert "behind       probe    kNN   LogME" in text
    page = out.read_text()
    assert "No strategy can be chosen from these images" in page
    assert 'id="figure-accuracy"' in page


def test_a_page_that_cannot_be_written_is_an_error_before_measuring(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["data.path=x", "--out", str(tmp_path / "no" / "page.html")])
    assert "its folder does not exist" in capsys.readouterr().err


@needs_lite
def test_advice_on_drawings(capsys, tmp_path):
    file = tmp_path / "advice.html"
    words = ["data=leaves", "data.n_images=120", "data.n_species=1", "data.photos_per_leaf=1"]
    main([*words, f"backbone={LITE}", "image_size=64", "--json", "--out", str(file)])
    result = json.loads(capsys.readouterr().out)
    assert result["strategy"] == "small_different"
    assert result["drawn"] is True
    assert result["choices"][0]["thresholds"]["large_per_class"] == 1000
    assert result["choices"][0]["measured"]["image_size_px"] == 224
    assert result["scores_at_image_size"][0]["image_size_px"] == 64
    assert result["size"]["images"] == 70
    assert result["next"].startswith("python -m src.train -m data=leaves data.n_images=120")
    last = result["scores_at_image_size"][0]["stages"][-1]
    assert last["stage"] == 5
    assert last["probe"] > 0.35  # five classes
    page = file.read_text(encoding="utf-8")
    assert f"{LITE}, 64 px: linear probe" in page
    assert "decades" not in page and " nats" not in page.partition('id="plotly"')[0]
    assert page.count('<div class="command">') == 1


@pytest.mark.parametrize(
    "words",
    [
        ["data.path=nowhere", "--more", "backbone=test_resnet"],
        ["--more", "data.path=nowhere", "backbone=test_resnet"],
        ["data.path=nowhere", "backbone=test_resnet", "--more"],
    ],
)
def test_settings_may_stand_on_both_sides_of_a_switch(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "data.path=nowhere: there is no such file or folder" in capsys.readouterr().err

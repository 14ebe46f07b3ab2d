import json

import pytest

from frostline.backbones.describe import describe, short_list
from frostline.commands.backbones import main


def test_one_model_is_a_table_that_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resnet50"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 100
    assert "23,508,032" in text
    row = next(line for line in text.splitlines() if line.split()[:2] == ["2", "layer1"])
    assert row.split() == ["2", "layer1", "215,808", "0.96%", "19.2%", "256x56x56", "yes"]


def test_facts_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vgg16", "--json", "--image-size", "150"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["params"] == 14_714_688
    assert facts["image_size_px"] == 150
    assert facts["num_stages"] == len(facts["stages"]) == 5
    assert facts["stages"][4]["params"] == 7_079_424
    assert facts["stages"][3]["frozen_params_frac"] == pytest.approx(7_635_264 / 14_714_688)
    assert facts["stages"][4]["frozen_flops_frac"] == pytest.approx(1.0)
    assert all(stage["can_be_cut"] for stage in facts["stages"])


def test_many_models_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vgg1*_bn"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "backbone",
        "vgg11_bn",
        "vgg13_bn",
        "vgg16_bn",
        "vgg19_bn",
    ][: len(lines)]
    assert max(map(len, lines)) <= 100
    assert main(["vgg*", "--limit", "1"]) == 0
    assert "... and 7 more" in capsys.readouterr().out


def test_no_match_is_answered_with_the_nearest_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resnet5"]) == 2
    assert "resnet50" in capsys.readouterr().err


def test_where_weights_would_come_from() -> None:
    assert describe("tf_efficientnet_lite0", 64)["weights"].startswith(
        "packaged (efficientnet-lite0"
    )
    assert describe("book_cnn", None)["weights"] == "none"


def test_runs_of_numbered_modules_are_drawn_together() -> None:
    names = ["cls_token", "blocks.0", "blocks.1", "blocks.2", "norm"]
    assert short_list(names, 40) == "cls_token, blocks.0-2, norm"
    assert short_list(names, 15) == "cls_token, b..."

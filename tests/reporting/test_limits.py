"""Bad input: the page says what cannot be said, and why."""

import json
from dataclasses import replace

import numpy as np
import pytest

from frostline.reporting.report_folder import write_folder
from frostline.stats.rules import Rules
from frostline.tracking.records import RunRecord

PAIR = [
    ({"backbone": "net", "freeze": "2"}, 0.95, 30.0, 2),
    ({"backbone": "net", "freeze": "4"}, 0.50, 10.0, 1),
]


def _page(made, folder, rules=None):
    report = write_folder(*made, rules or Rules(), folder, title="T")
    return report, dict(report.conclusion.paragraphs)


def _with_groups(made, groups_of):
    records, source = made
    for key, one in source.held.items():
        source.held[key] = replace(one, groups=groups_of(one))
    return records, source


@pytest.fixture
def pair(sweeps):
    return sweeps.make(PAIR, n_leaves=60, seeds=2)


def test_a_group_that_holds_all_images_of_a_class_is_named(pair, tmp_path):
    made = _with_groups(pair, lambda one: np.where(one.labels == 1, "tray", one.groups))
    report, text = _page(made, tmp_path)
    unsaid = text["What cannot be said"]
    assert "1 of 5 classes (maize_rust) are one group each" in unsaid
    # 20 points could be that class; the difference is more.
    assert report.verdict.rows[1].standing in {"worse", "behind"}


def test_where_lone_classes_could_make_the_difference_nothing_is_claimed(pair, tmp_path):
    made = _with_groups(pair, lambda one: np.array([f"class{k}" for k in one.labels]))
    report, text = _page(made, tmp_path)
    assert "No class has two groups of validation images" in text["What cannot be said"]
    assert "worse" not in {row.standing for row in report.verdict.rows}
    assert "Worse" not in text["Why"]


def test_a_class_of_few_groups_is_named_as_intervals_hardly_contain_it(pair, tmp_path):
    def few(one):
        trays = np.array([f"tray{int(item[4:8]) % 3}" for item in one.items])
        return np.where(one.labels == 1, trays, one.groups)

    _, text = _page(_with_groups(pair, few), tmp_path / "a")
    assert (
        "1 of 5 classes (maize_rust) has fewer than 5 groups of validation images"
        in (text["What cannot be said"])
    )
    _, text = _page(pair, tmp_path / "b", Rules("acc_micro"))
    assert "fewer than 5 groups" not in text.get("What cannot be said", "")


def test_a_leak_that_was_found_stands_in_the_headline(pair, tmp_path, monkeypatch):
    _, source = pair
    leak = {"found": "one image, two splits: 12 pairs, which affect 100 % of test.", "share": 1.0}
    found = {"leaks": [leak]}
    monkeypatch.setattr(source, "text", lambda run_id, path: json.dumps(found))
    report, text = _page(pair, tmp_path / "a")
    assert "A leak was found between the splits" in report.conclusion.headline
    assert text["What cannot be said"].count("12 pairs, which affect 100 % of test") == 1
    few = {"leaks": [leak | {"share": 0.015}]}
    monkeypatch.setattr(source, "text", lambda run_id, path: json.dumps(few))
    report, text = _page(pair, tmp_path / "few")
    assert "may lift accuracy, by 1.5 points at most" in report.conclusion.headline
    assert "By how much a leak lifts accuracy (1.5 points at most)" in text["What cannot be said"]
    monkeypatch.setattr(source, "text", lambda run_id, path: json.dumps({"leaks": []}))
    report, text = _page(pair, tmp_path / "b")
    assert "leak" not in report.conclusion.headline + text.get("What cannot be said", "")


def test_seeds_that_share_their_batches_say_so(sweeps, tmp_path):
    fixed = [({**params, "order_seed": "0"}, *rest) for params, *rest in PAIR]
    _, text = _page(sweeps.make(fixed, n_leaves=60, seeds=2), tmp_path / "a")
    assert "order_seed=0: the seeds share" in text["What cannot be said"]
    _, text = _page(sweeps.make(fixed, n_leaves=60, seeds=1), tmp_path / "b")
    assert "order_seed" not in text.get("What cannot be said", "")
    _, text = _page(sweeps.make(PAIR, n_leaves=60, seeds=2), tmp_path / "c")
    assert "order_seed" not in text.get("What cannot be said", "")


def test_one_image_a_class_and_one_seed(sweeps, tmp_path):
    report, text = _page(sweeps.make(PAIR, n_leaves=5, seeds=1), tmp_path)
    assert {row.standing for row in report.verdict.rows[1:]} == {"one seed"}
    assert (
        "cannot be said" in text["What cannot be said"]
        or "No class" in (text["What cannot be said"])
    )


def test_equal_runs_are_told_apart_by_their_costs_alone(sweeps, tmp_path):
    records, source = sweeps.make(PAIR, n_leaves=60, seeds=2)
    for run in records[2:]:
        twin = records[int(run.params["seed"])]
        run.metrics.update({k: v for k, v in twin.metrics.items() if not k.startswith("time")})
        for split in ("val", "test"):
            source.held[run.run_id, split] = source.held[twin.run_id, split]
    report, text = _page((records, source), tmp_path)
    assert report.verdict.recommended.cell.params["freeze"] == "4"
    assert "nothing here tells them apart but their costs" in text["What cannot be said"]
    assert report.verdict.rows[0].loss == pytest.approx(report.verdict.rows[1].loss, abs=1e-3)


def test_all_runs_failed_but_one(pair, sweeps, tmp_path):
    records, source = pair
    failed = [sweeps.replace(run, status="FAILED", metrics={}) for run in records[1:]]
    report, text = _page(([records[0], *failed], source), tmp_path)
    assert report.conclusion.headline.startswith("Only net freeze=2 has results")
    assert "3 failed or stopped" in text["Not compared"]
    assert "What next" not in text


def test_cells_with_no_seed_in_common(pair, tmp_path):
    records, source = pair
    kept: list[RunRecord] = [records[0], records[3]]
    report, text = _page((kept, source), tmp_path)
    assert "no seed with the same validation images as the top" in text["Why"]
    assert report.verdict.rows[1].standing == "not tested"

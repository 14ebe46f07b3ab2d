import csv
import json
import re
from dataclasses import replace

import pytest

from frostline.reporting.cell_predictions import verdict_on
from frostline.reporting.conclusion import conclude
from frostline.reporting.report_folder import write_folder
from frostline.reporting.select import Selection, select
from frostline.stats.rules import Rules

RULES = Rules("acc_micro", 0.95, 0.005, 40)
METRIC = "val_best/acc_micro"
PAIR = [
    ({"backbone": "resnet50", "freeze": "2"}, 0.90, 30.0, 23_000_000),
    ({"backbone": "resnet50", "freeze": "4"}, 0.90, 10.0, 9_000_000),
]
WITH_LOSER = [*PAIR, ({"backbone": "resnet50", "freeze": "all"}, 0.6, 2.0, 40_000)]


def _verdict(made, rules=RULES):
    records, source = made
    return verdict_on(select(records, rules.metric), source, rules)


def _write(made, out, rules=RULES):
    return write_folder(*made, rules, out, title="Test")


def test_the_cheapest_whose_expected_loss_is_about_the_smallest_is_recommended(sweeps):
    verdict = _verdict(sweeps.make(WITH_LOSER, n_leaves=150))
    assert verdict.recommended.cell.name == "resnet50 freeze=4"
    standing = {row.cell.name: row.standing for row in verdict.rows}
    assert standing["resnet50 freeze=all"] == "worse"
    assert sorted(row.cell.name for row in verdict.candidates) == [
        "resnet50 freeze=2",
        "resnet50 freeze=4",
    ]
    assert verdict.family_size == 3
    assert verdict.rows[-1].loss == pytest.approx(0.3, abs=0.05)
    assert sum(row.chance for row in verdict.rows) == pytest.approx(1)


def test_weak_evidence_does_not_recommend_what_looks_far_worse(sweeps):
    # 30 points below the highest, cheaper, and cannot be distinguished from it with so few images.
    cells = [PAIR[0], ({"backbone": "resnet50", "freeze": "all"}, 0.6, 2.0, 40_000)]
    verdict = _verdict(sweeps.make(cells, n_leaves=5, seeds=2))
    assert verdict.rows[1].standing in {"open", "behind"}
    assert verdict.recommended is verdict.top


def test_the_tolerance_says_how_much_may_be_lost_for_a_cheaper_one(sweeps):
    cells = [PAIR[0], ({"backbone": "resnet50", "freeze": "all"}, 0.8, 2.0, 40_000)]
    made = sweeps.make(cells, n_leaves=150)
    strict, lax = (_verdict(made, replace(RULES, tolerance=tolerance)) for tolerance in (0.01, 0.3))
    assert strict.recommended is strict.top
    assert lax.recommended.cell.name == "resnet50 freeze=all"


def test_a_clear_winner_is_recommended_although_it_costs_more(sweeps):
    cells = [PAIR[0], ({"backbone": "resnet50", "freeze": "all"}, 0.6, 2.0, 40_000)]
    assert _verdict(sweeps.make(cells)).recommended.cell.name == "resnet50 freeze=2"


def test_what_is_lower_but_not_proven_is_named_so(sweeps, tmp_path):
    report = _write(sweeps.depth(), tmp_path, Rules("f1_macro", 0.95, 0.005, 40))
    behind = [row for row in report.verdict.rows if row.standing == "behind"]
    assert {row.cell.params["backbone"] for row in behind} == {"resnet50", "vgg16"}
    assert all(row.comparison.interval[1] < 0 for row in behind)
    assert all(row.comparison.p_holm >= 0.05 for row in behind)
    assert report.verdict.recommended.cell.params["backbone"] == "tf_efficientnet_lite0"
    why = dict(report.conclusion.paragraphs)["Why"]
    assert "Lower, but not proven after correction for all pairs and looks: resnet50" in why


def test_a_headline_says_that_nothing_proves_what_is_only_lower(sweeps, tmp_path):
    # Lower for a lone pair, but not after correction: a choice, as where none is distinguished.
    verdict = _verdict(sweeps.make([PAIR[0], ({"backbone": "a", "freeze": "0"}, 0.6, 9.0, 1)]))
    for standing, said in (("behind", True), ("lone class", True), ("worse", False)):
        rows = (verdict.rows[0], replace(verdict.rows[1], standing=standing))
        headline = conclude(
            replace(verdict, rows=rows), Selection((), ()), "", "", drawn=False
        ).headline
        assert ("That is a choice, not a proof" in headline) == said
        assert ("nothing proves a freeze=0 to be worse" in headline) == said


def test_about_equal_times_do_not_decide(sweeps):
    cells = [
        ({"backbone": "resnet50", "freeze": "2"}, 0.90, 10.3, 1),
        ({"backbone": "resnet50", "freeze": "4"}, 0.88, 10.0, 1),
    ]
    verdict = _verdict(sweeps.make(cells))
    assert verdict.recommended is verdict.top


def test_test_figures_are_read_for_the_recommended_cell_only(sweeps, tmp_path):
    records, source = sweeps.make(WITH_LOSER)
    verdict = _write((records, source), tmp_path).verdict
    asked = {run for run, split in source.asked if split == "test"}
    assert asked == set(verdict.recommended.cell.run_ids.values())


def test_the_conclusion_states_the_tie_the_reason_and_the_evidence(sweeps, tmp_path):
    words = _write(sweeps.make(WITH_LOSER, n_leaves=150), tmp_path).conclusion
    text = dict(words.paragraphs)
    assert re.fullmatch(
        r"Take resnet50 freeze=4: its expected loss, 0\.\d points, is the smallest, and none "
        r"within 1\.0 point of it costs clearly less\. That is a choice, not a proof: it is \d+ % "
        r"likely to be the best, and resnet50 freeze=\d cannot be distinguished from the highest\. "
        r"3 of 3 configurations had not finished learning, so the order may change with more "
        r"epochs\.",
        words.headline,
    )
    assert "Worse: resnet50 freeze=all (−" in text["Why"]
    assert "19 of 20 such sweeps make no wrong one" in text["How sure is this"]
    assert "3 seeds for each configuration" in text["How sure is this"]
    assert "The choice was made on validation" in text["On the test images"]
    assert "These images are drawings" not in text


def test_with_one_seed_the_page_states_its_limits_and_how_many_seeds_are_needed(sweeps, tmp_path):
    text = dict(_write(sweeps.make(WITH_LOSER, seeds=1), tmp_path).conclusion.paragraphs)
    assert "one seed, judged by 240 validation images of 80 groups" in text["How sure is this"]
    assert "Claims are corrected" not in text["How sure is this"]
    assert re.search(r"A second seed for .+ takes about 40 s \(2 runs\)", text["What next"])
    assert "for all 3, about 42 s (3 runs)." in text["What next"]


def test_of_one_seed_nothing_is_claimed_of_configurations(sweeps, tmp_path):
    report = _write(sweeps.make(WITH_LOSER, seeds=1, n_leaves=150), tmp_path)
    assert {row.standing for row in report.verdict.rows[1:]} == {"one seed"}
    assert "nothing is claimed of configurations" in report.conclusion.headline
    text = " ".join(part for _, part in report.conclusion.paragraphs)
    for claim in ("Worse", "is better", "Lower, but"):
        assert claim not in text
    found = json.loads((tmp_path / "verdict.json").read_text())
    assert found["worse"] == []
    assert found["holds_for"] == "trained models"
    assert found["next"]["more_seeds"] == 1


def test_the_page_states_that_images_are_drawings(sweeps, tmp_path):
    report = _write(sweeps.make(PAIR, data_source="leaves", n_leaves=20), tmp_path)
    assert report.conclusion.paragraphs[0][0] == "These images are drawings"
    assert "These images are drawings" in report.page.read_text()


def test_the_page_speaks_of_the_images_that_it_compares(sweeps, tmp_path):
    drawn = sweeps.make(PAIR[:1], data="drawn", data_source="leaves", tag="x", n_leaves=20)
    photos = sweeps.make(PAIR, data="leaves", n_leaves=20)
    photos[1].held.update(drawn[1].held)
    report = _write(([*photos[0], *drawn[0]], photos[1]), tmp_path)
    assert "These images are drawings" not in report.page.read_text()
    assert "on leaves</h1>" in report.page.read_text()


def test_without_runs_there_is_a_page_that_states_it(sweeps, tmp_path):
    report = _write(([], sweeps.source()), tmp_path)
    assert report.conclusion.headline == "There is no finished run to compare yet."
    assert "There is no run." in report.page.read_text()


def test_one_run_is_a_page_without_a_comparison(sweeps, tmp_path):
    report = _write(sweeps.make(PAIR[:1], seeds=1, n_leaves=20), tmp_path)
    assert report.conclusion.headline.startswith("Only resnet50 freeze=2 has results")


def test_missing_predictions_are_reported_and_nothing_is_claimed(sweeps, tmp_path):
    made = sweeps.make(WITH_LOSER, with_predictions=False)
    report = _write(made, tmp_path)
    assert {row.standing for row in report.verdict.rows[1:]} == {"not tested"}
    assert report.verdict.recommended is report.verdict.top
    assert "no predictions on validation" in dict(report.conclusion.paragraphs)["Why"]
    assert "has no predictions that can be read" in report.page.read_text()


def test_failed_running_and_not_comparable_runs_are_listed(sweeps, tmp_path):
    records, source = sweeps.make(WITH_LOSER, n_leaves=30)
    other, _ = sweeps.make(PAIR[:1], seeds=1, data="weeds", tag="w", n_leaves=30)
    tags = dict(records[0].tags) | {"frostline.failure": "loss is <nan> & gone"}
    records[0] = sweeps.replace(records[0], status="FAILED", tags=tags, metrics={})
    records[1] = sweeps.replace(records[1], status="RUNNING")
    report = _write(([*records, *other], source), tmp_path)
    text = dict(report.conclusion.paragraphs)["Not compared"]
    assert (
        "1 still running or waiting, 1 failed or stopped, 1 not comparable, trained on other"
        in text
    )
    html = report.page.read_text()
    assert "loss is &lt;nan&gt; &amp; gone" in html
    rows = list(csv.DictReader((tmp_path / "tables" / "left-out.csv").open()))
    assert [row["what"] for row in rows] == ["failed", "other data", "running"]


def test_markup_and_formulas_in_names_stay_text(sweeps, tmp_path):
    cells = [({"backbone": "</script><b>x", "freeze": "=1+1"}, 0.9, 1.0, 1), PAIR[0]]
    html = _write(sweeps.make(cells, n_leaves=20), tmp_path).page.read_text()
    assert "</script><b>" not in html
    assert "<b>" not in html
    with (tmp_path / "tables" / "depth.csv").open() as file:
        assert "'=1+1" in {row["freeze"] for row in csv.DictReader(file)}


def test_lists_of_stages_stand_beside_the_scale(sweeps, tmp_path):
    depths = ("[3,4]", "all", "2", "[2,3,4]", "0")
    cells = [({"backbone": "net", "freeze": depth}, 0.9, 1.0, 1) for depth in depths]
    html = _write(sweeps.make(cells, n_leaves=20), tmp_path).page.read_text()
    with (tmp_path / "tables" / "depth.csv").open() as file:
        order = [row["freeze"] for row in csv.DictReader(file)]
    assert order == ["0", "2", "all", "[2,3,4]", "[3,4]"]
    text = re.search(r'id="figures">(.*?)</script>', html).group(1)
    figure = json.loads(text)["figure-depth"]
    drawn = {tuple(trace["x"]): trace["mode"] for trace in figure["data"]}
    assert drawn == {("0", "2", "all"): "lines+markers", ("[2,3,4]", "[3,4]"): "markers"}
    assert "lie beside the scale, not on it" in html


def test_every_figure_is_a_png_and_every_table_a_csv(sweeps, tmp_path):
    report = _write(sweeps.depth(n_leaves=40), tmp_path)
    html = report.page.read_text()
    figures = re.findall(r'class="plot" id="figure-([\w-]+)"', html)
    assert figures == [
        *("depth", "heat", "cost-train-time", "cost-parameters"),
        *("effects", "curves", "losses", "classes"),
    ]
    assert sorted(p.stem for p in (tmp_path / "figures").glob("*.png")) == sorted(figures)
    tables = set(re.findall(r'<table id="([\w-]+)"', html))
    # Details of the leaderboard are a table of their own on the page, and columns of its file.
    assert tables - {"leaderboard-details"} == {p.stem for p in (tmp_path / "tables").glob("*.csv")}
    order = [
        html.index(f'<section id="{name}"') for name in re.findall(r'href="#([\w-]+)"', html)[1:]
    ]
    assert order == sorted(order)
    assert re.search(r'(src|href)="(?!#|data:)', html) is None


def test_csv_holds_full_precision_and_json_the_recommendation(sweeps, tmp_path):
    report = _write(sweeps.make(WITH_LOSER, n_leaves=150), tmp_path)
    rows = list(csv.DictReader((tmp_path / "tables" / "leaderboard.csv").open()))
    assert float(rows[0]["val accuracy %"]) == report.verdict.top.value
    found = json.loads((tmp_path / "verdict.json").read_text())
    assert found["recommended"]["name"] == "resnet50 freeze=4"
    assert found["worse"] == ["resnet50 freeze=all"]
    assert (found["tolerance"], found["looks"]) == (0.01, 1)
    assert set(found["expected_loss"]) == set(found["chance_best"]) == set(found["learning_rates"])
    assert found["expected_loss"]["resnet50 freeze=all"] > 0.25
    losses = {row["configuration"]: float(row["expected loss, points"]) for row in rows}
    assert losses == found["expected_loss"]
    assert sum(found["chance_best"].values()) == pytest.approx(1)


def test_only_the_best_are_tested_one_by_one(sweeps):
    records, source = sweeps.depth(n_leaves=20)
    verdict = _verdict((records, source), Rules("acc_micro", 0.95, 0.005, 5))
    assert [row.standing == "not tested" for row in verdict.rows] == [False] * 5 + [True] * 7
    assert verdict.rows[5].why == "only the first 5 are tested one by one"
    assert verdict.family_size == 66
    assert len({run for run, _ in source.asked}) == 15


def test_plotly_accepts_the_figures(sweeps, tmp_path):
    import plotly.graph_objects as go

    html = _write(sweeps.depth(n_leaves=20), tmp_path).page.read_text()
    text = re.search(r'id="figures">(.*?)</script>', html).group(1)
    for name, drawn in json.loads(text).items():
        assert len(go.Figure(drawn).data) == len(drawn["data"]) > 0, name

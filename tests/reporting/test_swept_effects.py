"""What the page says about effects and interactions, and what it leaves unsaid."""

import csv
from dataclasses import replace

import pytest

from frostline.reporting.report_folder import write_folder
from frostline.stats.rules import Rules

RULES = Rules("acc_micro", 0.95, 0.005, 40)


def _page(made, out, rules=RULES):
    html = write_folder(*made, rules, out, title="Test").page.read_text()
    start = html.index('<section id="factors"')
    return html[start : html.index("</section>", start)]


def _sweep(sweeps, accuracy, **options):
    cells = [
        ({"backbone": b, "freeze": f}, accuracy(b, f), 1.0, 1)
        for b in ("a", "b", "c")
        for f in ("0", "2", "all")
    ]
    return sweeps.make(cells, n_leaves=60, **options)


@pytest.fixture(scope="module")
def equal(sweeps):
    return _sweep(sweeps, lambda b, f: 0.8)


def test_a_page_without_a_proven_interaction_claims_none(equal, tmp_path):
    text = _page(equal, tmp_path)
    assert "No interaction shown" in text
    assert "act together: at" not in text
    rows = list(csv.DictReader((tmp_path / "tables" / "interactions.csv").open()))
    assert [row["shown"] for row in rows] == ["no"]
    assert float(rows[0]["p (all combinations and pairs)"]) > 0.0125


def test_a_proven_interaction_is_named_with_its_place(sweeps, tmp_path):
    made = _sweep(sweeps, lambda b, f: 0.4 if (b, f) == ("b", "all") else 0.9)
    text = _page(made, tmp_path)
    assert "backbone and freeze act together: at backbone=b, freeze=all the score is " in text
    assert "below the sum of the effects (p = " in text


def test_with_one_seed_effects_are_those_of_the_trained_models(sweeps, tmp_path):
    text = _page(_sweep(sweeps, lambda b, f: 0.8, seeds=1), tmp_path)
    assert "these trained models on other images" in text
    assert "all of them hold at once in 98.75 % of such sweeps" in text


def test_intervals_need_the_predictions_of_all_configurations(equal, tmp_path):
    text = _page(equal, tmp_path, replace(RULES, max_tested=4))
    assert "There are no intervals: the predictions of 5 of 9 configurations were not read" in text
    assert "not tested, as there are no intervals" in text
    assert "act together: at" not in text
    rows = list(csv.DictReader((tmp_path / "tables" / "effects.csv").open()))
    assert {row["low (all values)"] for row in rows} == {""}


def test_configurations_with_no_seed_in_common_have_no_intervals(sweeps, tmp_path):
    records, source = _sweep(sweeps, lambda b, f: 0.8, seeds=2)
    kept = [r for r in records if (r.params["seed"] == "0") == (r.params["backbone"] == "a")]
    text = _page((kept, source), tmp_path)
    assert "no seed has the same validation images in all configurations" in text


def test_seeds_that_some_lack_are_not_used(sweeps, tmp_path):
    records, source = _sweep(sweeps, lambda b, f: 0.8, seeds=3)
    text = _page((records[:-1], source), tmp_path)
    assert "They rest on the 2 seeds that all configurations have." in text


def test_two_configurations_are_too_few(sweeps, tmp_path):
    made = sweeps.make([({"freeze": f}, 0.9, 1.0, 1) for f in ("0", "2")], n_leaves=20)
    assert "Too little was swept to estimate effects." in _page(made, tmp_path)

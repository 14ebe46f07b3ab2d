"""What to run next: worth it or not, and never against what the page says beside it."""

import pytest

from frostline.reporting.report_folder import write_folder
from frostline.stats.rules import Rules


def _cells(*scores):
    return [
        ({"backbone": "net", "freeze": str(2 * k)}, score, 30.0 - 10 * k, 2)
        for k, score in enumerate(scores)
    ]


def _report(made, folder):
    report = write_folder(*made, Rules(), folder, title="T")
    return report, dict(report.conclusion.paragraphs)["What next"]


def test_where_seeds_hardly_help_what_is_open_is_another_question(sweeps, tmp_path):
    made = sweeps.make(_cells(0.900, 0.899), n_leaves=700, seeds=5)
    report, text = _report(made, tmp_path)
    assert report.verdict.rows[1].standing == "open"
    assert "More seeds would hardly make the choice better" in text
    assert "To distinguish what cannot be distinguished now is another question" in text
    (words,) = [w for title, w in report.conclusion.paragraphs if title == "How sure is this"]
    assert "the smallest true difference that is found in 4 of 5 sweeps" in words


def test_where_all_are_clearly_worse_nothing_is_said_of_open_ones(sweeps, tmp_path):
    report, text = _report(sweeps.make(_cells(0.97, 0.50), n_leaves=200, seeds=3), tmp_path)
    assert report.verdict.rows[1].standing == "worse"
    assert "hardly make the choice better" in text
    assert "another question" not in text


def test_where_seeds_help_they_are_worth_running(sweeps, tmp_path):
    report, text = _report(sweeps.make(_cells(0.80, 0.79, 0.78), n_leaves=12), tmp_path)
    first, worth = text.splitlines()[:2]
    assert first.startswith("First train all longer, epochs=12: ")
    assert worth.startswith("Worth running: ")
    assert report.verdict.recommended.loss == pytest.approx(
        min(row.loss for row in report.verdict.rows), abs=0.01
    )


def test_a_difference_larger_than_the_scale_is_not_called_one_that_can_be_found(
    sweeps, tmp_path, monkeypatch
):
    from frostline.reporting import certainty

    made = sweeps.make(_cells(0.900, 0.899), n_leaves=40, seeds=2)
    monkeypatch.setattr(certainty, "smallest_gap", lambda _, n, **__: 1.767 if n == 2 else 0.2)
    report = write_folder(*made, Rules(), tmp_path, title="T")
    words = dict(report.conclusion.paragraphs)["How sure is this"]
    assert "176.7" not in words
    assert "is about 20.0 points with 5 seeds" in words
    assert words.rstrip().endswith("; no true difference is found in 4 of 5 sweeps with 2 seeds.")

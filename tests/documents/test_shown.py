"""Comparing what a page shows with what a command prints."""

import pytest

from tests.documents.shown import first_difference

PRINTED = """\
8 runs in 1:02

 backbone    freeze   val F1
 ───────────────────────────
 resnet18         0     81.4
 resnet18       all     79.0

report: outputs/report.html
compare the runs in MLflow:  make ui
"""


@pytest.mark.parametrize(
    "shown",
    [
        "24 runs in 12 s",
        "8 runs in 1:02\n\n backbone freeze val F1\n ─────\n resnet18 all 9\n resnet18 2 1",
        "8 runs in 1:02\n...\ncompare the runs\nin MLflow:  make ui",
        "report: ...\ncompare",
        "...\nreport: ...",
    ],
)
def test_figures_breaks_and_the_order_of_rows_do_not_count(shown: str) -> None:
    assert first_difference(shown, PRINTED) is None


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        ("8 jobs in 1:02", "# jobs in #"),
        ("8 runs in 1:02\nreport: outputs/report.html", "# runs in # report: outputs/report.html"),
        ("compare the runs\n...\n8 runs in 1:02", "# runs in #"),
        ("─────\n resnet18  last  99\n resnet18  all  1\n", "─ resnet# all # resnet# last #"),
    ],
)
def test_words_and_their_order_do(shown: str, missing: str) -> None:
    assert first_difference(shown, PRINTED) == missing

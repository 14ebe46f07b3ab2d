"""The benchmark of sweeps: sizes, rows of several calls in one file, goals, table and figure."""

import argparse
import json

import pytest

from benchmarks.chart import draw_chart
from benchmarks.run import fits
from benchmarks.savings import savings
from benchmarks.sizes import Size, sizes_of
from benchmarks.sweep_record import opened, put
from benchmarks.table import rendered

ABOUT = {
    "machine": "cpu", "device": "cpu", "torch": "2", "frostline": "1", "threads": 2, "tiny": False,
}  # fmt: skip


def _row(workload: str, images: int, epochs: int, **more):
    return {
        "workload": workload, "title": "a sweep", "jobs": 2, "images": images, "epochs": epochs,
        "precision": "32-true", "rounds": 2, "others_frac": [0.0, 0.01], "bound_s": 2.0,
        "commit": "abc", "date": "2026-01-01",
        "seconds": {"P0": [30, 32], "P1": [12, 12], "cold": [10, 8], "warm": [5, 4]},
        "peak_mib": {"P0": [1, 2], "P1": [3, 3], "cold": [4, 5], "warm": [4, 5]},
        "test_acc": {"P0": [0.5, 0.5], "P1": [0.6, 0.8], "cold": [0.6, 0.7], "warm": [0.6, 0.7]},
    } | more  # fmt: skip


def test_sizes_are_images_times_epochs():
    assert sizes_of("300x2,1000x5,300x2") == [Size(300, 2), Size(1000, 5)]
    assert Size(1000, 5).text == "1,000 x 5"


@pytest.mark.parametrize("text", ["300", "300x", "x2", "10x2", "300x0", "300x2,", "300*2"])
def test_what_is_no_size_is_refused_with_an_example(text):
    with pytest.raises(argparse.ArgumentTypeError, match="300x2,1000x5"):
        sizes_of(text)


def test_a_row_replaces_its_like_and_leaves_the_others():
    results = {"rows": [_row("W1", 1000, 5), _row("W1", 300, 2), _row("W2", 300, 2)]}
    put(results, _row("W1", 300, 2, commit="new"))
    put(results, _row("W1", 300, 2, precision="fastest"))
    found = [(r["workload"], r["images"], r["precision"], r["commit"]) for r in results["rows"]]
    assert found == [
        ("W1", 300, "32-true", "new"),
        ("W1", 300, "fastest", "abc"),
        ("W1", 1000, "32-true", "abc"),
        ("W2", 300, "32-true", "abc"),
    ]


def test_rows_of_the_same_conditions_stay_and_others_are_named(tmp_path):
    file = tmp_path / "cpu.json"
    assert opened(file, ABOUT) == ({**ABOUT, "rows": []}, None)
    file.write_text(json.dumps({**ABOUT, "rows": [_row("W1", 300, 2)]}))
    kept, line = opened(file, ABOUT)
    assert (len(kept["rows"]), line) == (1, None)
    fresh, line = opened(file, ABOUT | {"torch": "3", "threads": 1})
    assert fresh["rows"] == []
    assert line == "cpu.json was measured with torch 2, now 3, threads 2, now 1: it is replaced"


def test_each_row_has_its_own_goal_and_what_is_met_is_bold():
    results = {**ABOUT, "rows": [
        _row("W1", 300, 2), _row("W1", 1000, 5), _row("W4", 1000, 5), _row("W3", 3000, 5),
    ]}  # fmt: skip
    table = rendered(results).splitlines()
    rows = [line for line in table if line.startswith("| W") and "a sweep" in line]
    small, large, crops, without = rows
    assert "| 300 x 2 |" in small
    assert "| **3.5x** (3.0-4.0) | **1.4x** (1.2-1.5) | 2.2x / 1x | 22% |" in small
    assert "| **3.5x** (3.0-4.0) | **1.4x** (1.2-1.5) | 2.5x / 1.2x |" in large
    assert "| 3.5x (3.0-4.0) | 1.4x (1.2-1.5) | 80% of the bound | 22% |" in crops
    assert "| 3.5x (3.0-4.0) | 1.4x (1.2-1.5) | - |" in without


def test_a_busy_machine_is_said():
    table = rendered({**ABOUT, "rows": [_row("W1", 300, 2, others_frac=[0.0, 0.4])]})
    assert "40% (busy: times too long)" in table


def test_nothing_is_repeated_that_would_end_too_late():
    assert fits(spent_s=100, longest_s=50, limit_s=150)
    assert not fits(spent_s=101, longest_s=50, limit_s=150)


def test_the_figure_has_a_group_for_each_size_with_its_ratios(tmp_path):
    path = tmp_path / "sweeps.svg"
    draw_chart(path, {**ABOUT, "rows": [_row("W1", 300, 2), _row("W1", 1000, 5)]})
    drawn = path.read_text()
    for text in ("1,000 images", "300 images", "P0: 31 s", "3.5", "W1: a sweep"):
        assert f"<!-- {text}" in drawn or text in drawn


def test_readme_has_a_row_for_each_sweep_and_a_column_for_each_size():
    rows = [_row("W1", 1000, 5), _row("W1", 300, 2), _row("W2", 300, 2, title="heads")]
    lines = savings({**ABOUT, "rows": [*rows, _row("W2", 300, 2, precision="fastest")]})
    assert lines.splitlines() == [
        "| sweep | 300 images, 2 epochs | 1,000 images, 5 epochs |",
        "|---|---|---|",
        "| a sweep | **3.5x** (1.4x), 31 to 9.0 s | **3.5x** (1.4x), 31 to 9.0 s |",
        "| heads | **3.5x** (1.4x), 31 to 9.0 s |  |",
    ]

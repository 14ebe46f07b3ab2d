"""What projected scores are worth: the benchmark's rules and figures, by hand."""

import pytest

from benchmarks.quick_pixels import RULES, projection_lines, rule_lines
from benchmarks.regret_rows import Job
from benchmarks.regret_rows import Row as Recorded
from frostline.advice.quick.quick_rows import Row


def row(freeze, score, half, gain, behind):
    projected = freeze != "all"
    return Row("a", freeze, score, score - half, score + half, gain, behind, "32", projected, "how")


def sweep_of(scores):
    """Freeze to the runs of five seeds, with a validation and a test score."""
    return {
        freeze: [
            Recorded(
                Job("s", freeze, 1.0, 1.0, 6, seed, 0), "trained", (),
                {"val_best/f1_macro": val, "test/f1_macro": test}, 2, 1.0,
            )
            for seed in range(5)
        ]
        for freeze, (val, test) in scores.items()
    }  # fmt: skip


TRUTH = sweep_of({"all": (0.6, 0.6), "0": (0.5, 0.4), "2": (0.55, 0.5), "4": (0.65, 0.62)})


def rows(behind):
    """Depth 4 is first; the solved head is behind it by what is given."""
    return [
        row("4", 0.7, 0.3, 0.1, (0.0, 0.0)),
        row("all", 0.6, 0.1, None, behind),
        row("2", 0.55, 0.1, -0.05, (0.0, 0.3)),
        row("0", 0.45, 0.1, -0.15, (0.1, 0.4)),
    ]


@pytest.mark.parametrize(
    ("behind", "chosen"),
    [((-0.1, 0.3), ["4", "all", "all", "all"]), ((0.05, 0.2), ["4", "4", "all", "all"])],
    ids=["cannot be distinguished", "surely behind"],
)
def test_what_the_rules_choose(behind, chosen):
    assert [rule(rows(behind)).freeze for rule in RULES.values()] == chosen


def test_the_figures_by_hand():
    answers = {"s": {0: rows((-0.1, 0.3))}}
    lines = list(projection_lines(answers, {"s": TRUTH}))
    # Projected 70 where 65 was measured, 55 for 55 and 45 for 50: 0.0 on average, 3.3 without sign.
    assert lines[0] == "| 0 | 1 | -10.0 | -15.0 | -5.0 | 5.0 | 20 | 1 of 1 |"
    assert lines[2] == "| 4 | 1 | +5.0 | +10.0 | +5.0 | 5.0 | 60 | 1 of 1 |"
    assert lines[3] == "| all of them | 3 |  |  | +0.0 | 3.3 |  | 3 of 3 |"
    first, second, *_ = rule_lines(answers, {"s": TRUTH})
    # The sweep takes 4, 62 on test; the head has 60.
    assert first.endswith("| all: 0, 0: 0, 2: 0, 4: 1 | +0.0 | +0.0 | +0.0 |")
    assert second.endswith("| all: 1, 0: 0, 2: 0, 4: 0 | +2.0 | +2.0 | +2.0 |")

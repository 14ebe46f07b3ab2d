"""The leaderboard of a report as a table of a page."""

from experiments.tools.leaderboard import markers, table

TOP = {
    "configuration": "a freeze=all", "seeds": "3", "val macro F1 %": "0.7738", "low 95 %": "0.6323",
    "high 95 %": "0.8548", "from top, points": "", "low": "", "high": "",
    "expected loss, points": "0.0111", "chance of being best": "0.441", "test macro F1 %": "0.8066",
    "learning rate": "solved", "a run alone": "31.45",
}  # fmt: skip
OTHER = TOP | {
    "configuration": "b freeze=4", "from top, points": "-0.03995", "low": "-0.1898",
    "high": "0.1099", "learning rate": "0.0016",
}  # fmt: skip


def test_scores_are_percent_with_intervals_and_differences_points():
    head, _, top, other = table([TOP, OTHER]).splitlines()
    assert head.startswith("| configuration | seeds | validation macro F1 | from the highest |")
    assert top == (
        "| a freeze=all | 3 | 77.4 (63.2 to 85.5) | – | 1.1 | 44 % | 80.7 | solved | 31 s |"
    )
    assert "| −4.0 (−19.0 to +11.0) |" in other and "| 0.0016 |" in other


def test_a_page_with_several_tables_names_each():
    first, _ = markers(None)
    assert first == "<!-- tables: python -m experiments.tools.leaderboard -->"
    assert markers("one_rate")[0] != first
    assert "experiments.tools.leaderboard --part one_rate" in markers("one_rate")[0]

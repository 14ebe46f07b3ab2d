"""A race on the page: each cell's way, how it ended, and that claims count all that entered."""

import json
from dataclasses import replace

from frostline.reporting.race_section import open_race, race_section, read_race
from frostline.reporting.report_folder import write_folder
from frostline.stats.rules import Rules

CELLS = [
    ({"backbone": "net", "freeze": "0"}, 0.92, 30.0, 3),
    ({"backbone": "net", "freeze": "2"}, 0.90, 20.0, 2),
    ({"backbone": "net", "freeze": "4"}, 0.40, 10.0, 1),
]


def _judged(score, in_reach):
    return {"score": score, "chance": 0.5, "in_reach": in_reach, "loss": 0.1 - 0.1 * in_reach}


RACE = {
    "rounds": [
        {
            "name": "first seed, epoch 2",
            "judged": {
                "freeze=0": _judged(0.7, 0.9),
                "freeze=2": _judged(0.6, 0.5),
                "freeze=4": _judged(0.2, 0.01),
            },
            "dropped": {"freeze=4": "1 % likely to lie within 1 points of the best"},
            "seconds": 3.0,
        },
        {"name": "first seed, epoch 4", "judged": {}, "dropped": {}, "seconds": 1.0},
        {
            "name": "2 seeds, to the end",
            "judged": {"freeze=0": _judged(0.9, 0.97), "freeze=2": _judged(0.8, 0.1)},
            "dropped": {},
            "seconds": 5.0,
        },
    ],
    "out": {"freeze=4": "1 % likely to lie within 1 points of the best after first seed, epoch 2"},
    "settled": "freeze=0 is 97 % likely to lie within 1 points of the best",
    "open": "",
    "rules": {"score": "f1_macro"},
}


def test_a_line_ends_where_its_cell_was_dropped():
    (section,) = race_section(RACE)
    (figure,) = section.figures
    ways = {series.name: (list(series.x), [round(y) for y in series.y]) for series in figure.series}
    assert ways == {
        "freeze=0": ([1, 2], [70, 90]),
        "freeze=2": ([1, 2], [60, 80]),
        "freeze=4": ([1], [20]),
    }
    rows = {row[0]: row for row in figure.table.rows}
    assert rows["freeze=4"][1] == 1
    assert rows["freeze=4"][-1].endswith("after first seed, epoch 2")
    assert rows["freeze=0"][-1] == "went on to the end of the race"
    assert "a decision by expected loss" in " ".join(section.notes)


def test_of_many_cells_those_that_came_furthest_have_colours():
    names = [f"cell{k}" for k in range(12)]
    judged = {name: _judged(k / 20, 0.5) for k, name in enumerate(names)}
    rounds = [{"name": "one", "judged": judged, "dropped": {}, "seconds": 1.0}]
    (section,) = race_section(RACE | {"rounds": rounds, "out": {}})
    named = [series.name for series in section.figures[0].series if series.in_legend]
    assert named == [f"cell{k}" for k in (11, 10, 9, 8, 7, 6, 5)] + ["others"]


def test_without_a_race_there_is_no_section(sweeps):
    _, source = sweeps.make(CELLS[:2], seeds=1)
    assert read_race(None, source) == {}
    assert race_section({}) == []
    assert open_race({}) == ""


def test_the_page_shows_it_and_counts_the_dropped_cells_in_its_claims(sweeps, tmp_path):
    records, source = sweeps.make(CELLS, seeds=2)
    dropped = {"frostline.dropped": "1 % likely to lie within 1 points of the best"}
    records = [
        replace(run, tags=run.tags | dropped, metrics={}) if run.params["freeze"] == "4" else run
        for run in records
    ]
    sweep = replace(records[0], run_id="sweep", name="sweep-1", tags={})
    spent = {"settled": "", "open": "the budget is spent", "is_spent": True}
    command = "python -m src.train -m freeze=0,2,4 search=race budget=5m"
    texts = {
        "race.json": json.dumps(RACE | spent | {"first_guess": {"one": 0.5, "two": 0.625}}),
        "plan.json": json.dumps({"command": command}),
    }
    source.text = lambda run_id, path: texts.get(path) if run_id == "sweep" else None
    report = write_folder(records, source, Rules(), tmp_path, title="T", sweep=sweep)
    assert "The race is not settled: the budget is spent." in report.conclusion.headline
    assert report.verdict.family_size == 3  # pairs of all three, not of the two that are compared
    lines = dict(report.conclusion.paragraphs)["What next"].splitlines()
    assert lines[0].startswith("The race can go on from where it stopped")
    assert lines[1] == command
    page = report.page.read_text()
    assert "ordered the cells and dropped none: two 62 %, one 50 %." in page
    assert 'id="race"' in page
    assert "dropped by the race before their end" in page
    assert (tmp_path / "figures" / "race.png").stat().st_size > 10_000

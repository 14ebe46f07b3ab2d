import numpy as np
import pytest

from frostline.reporting.cost_figures import pareto
from frostline.reporting.select import are_drawings, select
from frostline.stats.cell import value_order
from frostline.stats.effects import interactions, main_effects

METRIC = "val_best/f1_macro"
CELLS = [
    ({"backbone": "resnet50", "freeze": "2"}, 0.9, 10.0, 100),
    ({"backbone": "resnet50", "freeze": "4"}, 0.9, 5.0, 50),
]


def test_runs_that_differ_in_their_seed_only_are_one_cell(sweeps):
    records, _ = sweeps.make(CELLS, n_leaves=10)
    got = select(reversed(records), METRIC)
    assert [cell.name for cell in got.cells] == ["resnet50 freeze=4", "resnet50 freeze=2"]
    assert [list(cell.run_ids) for cell in got.cells] == [["0", "1", "2"]] * 2
    assert got.swept == ("freeze",)
    assert got.left_out == ()
    expected = np.mean([r.metrics[METRIC] for r in records[:3]])
    assert got.cells[1].mean(METRIC) == pytest.approx(expected)


def test_other_data_and_other_splits_are_refused_with_the_reason(sweeps):
    records, _ = sweeps.make(CELLS, n_leaves=10)
    other, _ = sweeps.make(CELLS[:1], n_leaves=10, data="weeds", tag="b", seeds=1)
    tags = dict(records[0].tags) | {"frostline.split_digest": "another"}
    records.append(
        sweeps.replace(
            records[0], run_id="c", tags=tags, params={**records[0].params, "freeze": "3"}
        )
    )
    got = select([*records, *other], METRIC)
    (data,) = got.left_out_as("other data")
    assert data.run is other[0]
    assert "other data (weeds, fingerprint weeds-bfinge) than the 7 runs" in data.reason
    (split,) = got.left_out_as("other split")
    assert split.run.run_id == "c"
    assert "split another, while most runs of seed 0 have split-0" in split.reason
    assert len(got.cells) == 2


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"status": "RUNNING"}, "running", "not finished"),
        ({"status": "FAILED"}, "failed", "FAILED, without a recorded reason"),
        ({"status": "FAILED", "tags": {"frostline.failure": "diverged"}}, "failed", "diverged"),
        ({"metrics": {}}, "no score", f"it has no {METRIC}"),
        ({"metrics": {METRIC: float("nan")}}, "no score", "is nan"),
    ],
)
def test_runs_without_a_result_are_named_and_never_zero(sweeps, changes, kind, said):
    records, _ = sweeps.make(CELLS, n_leaves=10)
    records[0] = sweeps.replace(records[0], **changes)
    got = select(records, METRIC)
    (left,) = got.left_out
    assert (left.kind, left.run) == (kind, records[0])
    assert said in left.reason
    assert list(got.cells[0].run_ids) == ["1", "2"]
    assert got.cells[0].mean(METRIC) > 0.5


def test_of_duplicates_the_newest_is_used(sweeps):
    records, _ = sweeps.make(CELLS, n_leaves=10)
    again = sweeps.replace(records[0], run_id="again", start_ms=records[-1].start_ms + 1)
    got = select([*records, again], METRIC)
    (left,) = got.left_out_as("duplicate")
    assert left.run is records[0]
    assert "seed as resnet50-freeze2-seed0 (again), which is newer" in left.reason
    cell = next(cell for cell in got.cells if cell.params["freeze"] == "2")
    assert cell.run_ids["0"] == "again"


def test_no_runs_are_no_cells():
    got = select([], METRIC)
    assert (got.cells, got.left_out) == ((), ())


def test_an_image_size_that_follows_from_the_backbone_is_no_swept_parameter(sweeps):
    own = [
        ({"backbone": b, "freeze": "0", "image_size": s}, 0.9, 1.0, 1)
        for b, s in (("a", "224"), ("b", "160"))
    ]
    assert select(sweeps.make(own, n_leaves=10)[0], METRIC).swept == ("backbone",)
    both = [
        ({"backbone": "a", "freeze": "0", "image_size": s}, 0.9, 1.0, 1) for s in ("224", "160")
    ]
    assert select(sweeps.make(both, n_leaves=10)[0], METRIC).swept == ("image_size",)


def test_depths_sort_as_numbers_then_paths_then_all():
    assert sorted(["all", "10", "layer3.2", "2", "0"], key=value_order) == [
        "0",
        "2",
        "10",
        "layer3.2",
        "all",
    ]


def test_drawings_are_known_by_their_data(sweeps):
    assert are_drawings(sweeps.make(CELLS, n_leaves=10, data="leaves")[0])
    assert are_drawings(sweeps.make(CELLS, n_leaves=10, data="leaves-field")[0])
    assert not are_drawings(sweeps.make(CELLS, n_leaves=10, data="plants")[0])


def test_main_effects_are_not_credited_to_each_other_in_an_unbalanced_sweep():
    # freeze=4 adds 2 points and b takes 10; b was run at freeze=4 more often.
    rows = [("a", "0"), ("a", "0"), ("a", "4"), ("b", "0"), ("b", "4"), ("b", "4"), ("b", "4")]
    params = [{"backbone": b, "freeze": f, "lr": str(k)} for k, (b, f) in enumerate(rows)]
    values = [0.9 - 0.10 * (b == "b") + 0.02 * (f == "4") for b, f in rows]
    effects = main_effects(params, values, ["freeze", "backbone"], 0.95)
    told = {(e.factor, e.level): e.effect for e in effects}
    assert told["backbone", "a"] == pytest.approx(0.05)
    assert told["freeze", "4"] == pytest.approx(0.01)
    assert [e.factor for e in effects] == ["backbone"] * 2 + ["freeze"] * 2


def test_an_interaction_is_found_and_an_additive_sweep_has_none():
    grid = [(a, b, c) for a in "01" for b in "01" for c in "012"]
    params = [{"x": a, "y": b, "z": c} for a, b, c in grid]
    noise = np.random.default_rng(0).normal(0, 1e-3, len(grid))
    crossed = [0.1 * (a == b) + n for (a, b, _), n in zip(grid, noise, strict=True)]
    first = interactions(params, crossed, ["x", "y", "z"])[0]
    assert (first.first, first.second) == ("x", "y")
    assert first.explained > 0.99
    assert first.p < 1e-6
    additive = [0.1 * int(a) + n for (a, _, _), n in zip(grid, noise, strict=True)]
    assert all(one.p > 0.01 for one in interactions(params, additive, ["x", "y", "z"]))


def test_pareto_front():
    assert pareto([1, 2, 2, 3, 4], [0.7, 0.6, 0.9, 0.9, 0.95]) == [0, 2, 4]

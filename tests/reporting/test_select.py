import numpy as np
import pytest

from frostline.reporting.select import are_drawings, select

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


def test_other_data_and_other_splits_are_left_out_with_the_reason(sweeps):
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
    ("changes", "kind", "reason"),
    [
        ({"status": "RUNNING"}, "running", "not finished"),
        ({"status": "FAILED"}, "failed", "FAILED, without a recorded reason"),
        ({"status": "FAILED", "tags": {"frostline.failure": "diverged"}}, "failed", "diverged"),
        ({"metrics": {}}, "no score", f"it has no {METRIC}"),
        ({"metrics": {METRIC: float("nan")}}, "no score", "is nan"),
    ],
)
def test_runs_without_a_result_are_listed_and_never_count_as_zero(sweeps, changes, kind, reason):
    records, _ = sweeps.make(CELLS, n_leaves=10)
    records[0] = sweeps.replace(records[0], **changes)
    got = select(records, METRIC)
    (left,) = got.left_out
    assert (left.kind, left.run) == (kind, records[0])
    assert reason in left.reason
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


def test_drawings_are_recognised_by_their_source_not_by_the_name_of_a_folder(sweeps):
    assert are_drawings(sweeps.make(CELLS, n_leaves=10, data_source="leaves")[0])
    assert not are_drawings(sweeps.make(CELLS, n_leaves=10, data="leaves")[0])

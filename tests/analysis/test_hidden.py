from src.analysis.cells import select
from src.analysis.hidden import with_hidden_settings

METRIC = "val_best/f1_macro"
CELL = [({"backbone": "net", "freeze": "2"}, 0.9, 1.0, 1)]


def _two_decays(sweeps, texts):
    a, source = sweeps.make(CELL, n_leaves=10, seeds=2, tag="a")
    b, _ = sweeps.make(CELL, n_leaves=10, seeds=2, tag="b")
    tags = {"frostline.data_fingerprint": "same"}
    records = [sweeps.replace(run, tags={**run.tags, **tags}) for run in (*a, *b)]
    source.text = lambda run_id, path: texts[run_id[0]] if path == "config.yaml" else None
    return records, source


def test_a_swept_setting_that_is_no_parameter_makes_cells(sweeps):
    records, source = _two_decays(
        sweeps,
        {
            "a": "seed: 0\noptimizer:\n  weight_decay: 0.0\nsweep:\n  id: x\n",
            "b": "seed: 1\noptimizer:\n  weight_decay: 0.1\nsweep:\n  id: y\n",
        },
    )
    got = select(with_hidden_settings(records, source), METRIC)
    assert got.swept == ("optimizer.weight_decay",)
    assert sorted(cell.name for cell in got.cells) == [
        "net freeze=2 optimizer.weight_decay=0.0",
        "net freeze=2 optimizer.weight_decay=0.1",
    ]
    assert got.left == ()


def test_equal_configs_of_another_code_version_stay_duplicates(sweeps):
    records, source = _two_decays(sweeps, {"a": "epochs: 3\n", "b": "epochs: 3\nseed: 7\n"})
    got = select(with_hidden_settings(records, source), METRIC)
    assert len(got.cells) == 1
    assert len(got.left_by("duplicate")) == 2
    assert "their job digests differ" in got.left[0].reason


def test_configs_are_read_only_where_they_are_needed(sweeps):
    records, source = sweeps.make(CELL, n_leaves=10)
    source.text = lambda run_id, path: 1 / 0
    assert with_hidden_settings(records, source) == records


def test_an_unreadable_config_changes_nothing(sweeps):
    records, source = _two_decays(sweeps, {"a": "a: [", "b": None})
    assert with_hidden_settings(records, source) == records

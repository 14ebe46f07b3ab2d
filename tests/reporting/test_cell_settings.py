from frostline.reporting.cell_settings import with_unlogged_settings
from frostline.reporting.select import select

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
    got = select(with_unlogged_settings(records, source), METRIC)
    assert got.swept == ("optimizer.weight_decay",)
    assert sorted(cell.name for cell in got.cells) == [
        "net freeze=2 optimizer.weight_decay=0.0",
        "net freeze=2 optimizer.weight_decay=0.1",
    ]
    assert got.left_out == ()


def test_equal_configs_of_another_code_version_stay_duplicates(sweeps):
    records, source = _two_decays(sweeps, {"a": "epochs: 3\n", "b": "epochs: 3\nseed: 7\n"})
    got = select(with_unlogged_settings(records, source), METRIC)
    assert len(got.cells) == 1
    assert len(got.left_out_as("duplicate")) == 2
    assert "their job digests differ" in got.left_out[0].reason


def test_configs_are_read_only_where_they_are_needed(sweeps):
    records, source = sweeps.make(CELL, n_leaves=10)
    source.text = lambda run_id, path: 1 / 0
    assert with_unlogged_settings(records, source) == records


def test_an_unreadable_config_changes_nothing(sweeps):
    records, source = _two_decays(sweeps, {"a": "a: [", "b": None})
    assert with_unlogged_settings(records, source) == records


def test_settings_without_effect_make_no_cells(sweeps):
    a = "report: true\nlr: 1\ntrainer:\n  threads: 1\ndata:\n  path: x\nstrategy:\n  typed: [lr]\n"
    b = "report: false\nlr: 1\ntrainer:\n  threads: 2\ndata:\n  path: y\nstrategy:\n  typed: []\n"
    records, source = _two_decays(sweeps, {"a": a, "b": b})
    assert with_unlogged_settings(records, source) == records
    inner = b.replace("threads: 2", "precision: 16")
    records, source = _two_decays(sweeps, {"a": a, "b": inner})
    got = select(with_unlogged_settings(records, source), METRIC)
    assert got.swept == ("trainer.precision",)


def test_a_configuration_is_named_only_by_settings_that_are_recorded_for_it(sweeps):
    texts = {"a": "head: {pool: max}\n", "b": "head: {pool: avg}\n"}
    records, source = _two_decays(sweeps, texts)
    other, _ = sweeps.make(
        [({"backbone": "vit", "freeze": "2"}, 0.9, 1.0, 1)], n_leaves=10, tag="c"
    )
    tags = {"frostline.data_fingerprint": "same"}
    records += [sweeps.replace(run, tags={**run.tags, **tags}) for run in other]
    got = select(with_unlogged_settings(records, source), METRIC)
    assert sorted(cell.name for cell in got.cells) == [
        "net freeze=2 head.pool=avg",
        "net freeze=2 head.pool=max",
        "vit freeze=2",
    ]


def test_a_key_of_later_is_no_difference_to_runs_from_before(sweeps):
    """Where one of two decays ran before `ema` existed, the decay alone distinguishes them."""
    records, source = _two_decays(
        sweeps,
        {
            "a": "optimizer:\n  name: adamw\n  weight_decay: 0.0\n",
            "b": "optimizer:\n  name: adamw\n  weight_decay: 0.1\nema: null\n",
        },
    )
    got = select(with_unlogged_settings(records, source), METRIC)
    assert got.swept == ("optimizer.weight_decay",)

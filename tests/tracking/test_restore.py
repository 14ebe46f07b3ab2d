import pytest

from frostline.errors import TrackingError
from frostline.tracking.lookup import best_of_sweep, find_run, find_run_of_seeds
from frostline.tracking.report_mark import REPORT_TAG, runs_digest
from frostline.tracking.restore import restore
from frostline.tracking.store import open_store


@pytest.fixture
def store(fresh_store_uri, tmp_path):
    return open_store(fresh_store_uri, "leaves", folder=tmp_path)


def _job(store, tmp_path, name, *, sweep="s1", metrics=None, config=None, status="FINISHED"):
    tags = {"frostline.kind": "job", "frostline.sweep_id": sweep}
    run = store.start_run(name, tags)
    if config is not None:
        run.log_dict(config, "config.yaml")
    (tmp_path / "best.ckpt").write_text(f"weights of {name}")
    run.log_artifact(tmp_path / "best.ckpt", "checkpoints")
    run.log_metrics(metrics or {}, 0)
    run.finish(status)
    return run.run_id


CONFIG = {"backbone": "resnet50", "callbacks": {"monitor": "val/f1_macro", "mode": "max"}}


def test_by_id_name_and_beginning(store, tmp_path):
    run_id = _job(store, tmp_path, "resnet50-freeze2-seed0", config=CONFIG, metrics={"x": 0.5})
    for called in (run_id, "resnet50-freeze2-seed0", run_id[:8]):
        restored = restore(store, called)
        assert restored.record.run_id == run_id
        assert restored.config == CONFIG
        assert restored.checkpoint.read_text() == "weights of resnet50-freeze2-seed0"
        assert restored.metrics == {"x": 0.5}


def test_unknown_run_gives_the_nearest_names(store, tmp_path):
    _job(store, tmp_path, "resnet50-freeze2-seed0")
    _job(store, tmp_path, "vgg16-freeze4-seed0")
    with pytest.raises(TrackingError, match=r"no such run in sqlite.*nearest: resnet50-freeze2-s"):
        find_run(store, "resnet5-freeze2-seed0")


def test_a_sweep_in_the_place_of_a_run_is_said_to_be_one(store, tmp_path):
    _job(store, tmp_path, "net-seed0")
    tags = {"frostline.kind": "sweep", "frostline.sweep_id": "20261127-ab12"}
    parent = store.start_run("sweep-20261127-ab12", tags)
    for called in ("20261127-ab12", "20261127", "sweep-20261127-ab12", parent.run_id):
        with pytest.raises(TrackingError, match=r"that is a sweep(.|\n)*best:20261127-ab12"):
            find_run(store, called)


def test_empty_store(store):
    with pytest.raises(TrackingError, match="which has no runs at all"):
        find_run(store, "anything")


def test_a_name_of_two_runs_lists_their_ids(store, tmp_path):
    ids = [_job(store, tmp_path, "same") for _ in range(2)]
    with pytest.raises(TrackingError, match="2 runs are called that") as caught:
        find_run(store, "same")
    assert all(run_id in str(caught.value) for run_id in ids)


def test_best_of_a_sweep_by_its_own_monitor(store, tmp_path):
    low = {"val_best/f1_macro": 0.5, "val_best/loss": 0.1}
    high = {"val_best/f1_macro": 0.75, "val_best/loss": 0.9}
    by_f1 = {"callbacks": {"monitor": "val/f1_macro", "mode": "max"}}
    by_loss = {"callbacks": {"monitor": "val/loss", "mode": "min"}}
    _job(store, tmp_path, "a", metrics=low, config=by_f1)
    _job(store, tmp_path, "b", metrics=high, config=by_f1)
    _job(store, tmp_path, "failed", metrics={"val_best/f1_macro": 0.99}, status="FAILED")
    _job(store, tmp_path, "nan", metrics={"val_best/f1_macro": float("nan")}, config=by_f1)
    _job(store, tmp_path, "c", metrics=low, config=by_loss, sweep="s2")
    _job(store, tmp_path, "d", metrics=high, config=by_loss, sweep="s2")
    assert restore(store, "best:s1").record.name == "b"
    assert restore(store, "best:s2").record.name == "c"


def test_best_is_a_run_of_the_configuration_that_the_report_recommends(store, tmp_path, caplog):
    parent = store.start_run("sweep-s1", {"frostline.kind": "sweep", "frostline.sweep_id": "s1"})
    runs = {
        name: _job(store, tmp_path, name, metrics={"val_best/f1_macro": value}, config=CONFIG)
        for name, value in (("costly", 0.80), ("cheap0", 0.78), ("cheap1", 0.79))
    }
    assert best_of_sweep(store, "s1").name == "costly"
    assert "it has no report on its run" in caplog.text
    assert "python -m src.report --sweep s1" in caplog.text
    caplog.clear()
    ids = {"0": runs["cheap0"], "1": runs["cheap1"]}
    parent.log_dict({"recommended": {"run_ids": ids}}, "report/verdict.json")
    parent.set_tags({REPORT_TAG: runs_digest(runs.values())})
    parent.finish("FINISHED")
    assert best_of_sweep(store, "s1").name == "cheap1"
    assert find_run_of_seeds(store, "best:s1")[1] == 2
    assert find_run_of_seeds(store, "cheap0")[1] == 1
    assert caplog.text == ""
    with store.amend_run(parent.run_id) as run:
        run.log_dict({"recommended": {"run_ids": {"0": "f" * 32}}}, "report/verdict.json")
    assert best_of_sweep(store, "s1").name == "costly"
    assert "its recommended runs are gone" in caplog.text


@pytest.mark.parametrize("mark", ["of fewer runs", "removed"])
def test_a_report_of_other_runs_recommends_none(store, tmp_path, caplog, mark):
    """One of fewer runs, as when another was resumed; one that a kill left half replaced."""
    parent = store.start_run("sweep-s1", {"frostline.kind": "sweep", "frostline.sweep_id": "s1"})
    old, new = (
        _job(store, tmp_path, name, metrics={"val_best/f1_macro": value}, config=CONFIG)
        for name, value in (("old", 0.70), ("new", 0.90))
    )
    parent.log_dict({"recommended": {"run_ids": {"0": old}}}, "report/verdict.json")
    parent.set_tags({REPORT_TAG: runs_digest([old]) if mark == "of fewer runs" else ""})
    parent.finish("FINISHED")
    assert best_of_sweep(store, "s1").run_id == new
    assert "its report is of other runs than have finished by now" in caplog.text


def test_of_equal_runs_the_lower_loss_wins(store, tmp_path):
    for name, loss in [("a", 0.3), ("b", 0.2), ("c", 0.4)]:
        metrics = {"val_best/f1_macro": 0.5, "val_best/loss": loss}
        _job(store, tmp_path, name, metrics=metrics, config=CONFIG)
    assert best_of_sweep(store, "s1").name == "b"


def test_best_by_the_parents_name(store, tmp_path):
    tags = {"frostline.kind": "sweep", "frostline.sweep_id": "s9"}
    parent = store.start_run("depth sweep", tags)
    child = store.start_run("a", {"frostline.kind": "job"}, parent.run_id)
    child.log_dict(CONFIG, "config.yaml")
    child.log_metrics({"val_best/f1_macro": 0.5}, 0)
    child.finish("FINISHED")
    assert best_of_sweep(store, "depth sweep").run_id == child.run_id
    for newest in ("", "latest"):
        assert best_of_sweep(store, newest).run_id == child.run_id
    with pytest.raises(TrackingError, match=r"no such sweep in(.|\n)*s9"):
        best_of_sweep(store, "s8")


def test_sweep_without_a_finished_job(store, tmp_path):
    _job(store, tmp_path, "a", status="FAILED")
    with pytest.raises(TrackingError, match="none of its 1 jobs has finished"):
        best_of_sweep(store, "s1")


def test_run_without_a_checkpoint(store):
    run = store.start_run("a", {})
    run.log_dict(CONFIG, "config.yaml")
    run.finish("FAILED")
    with pytest.raises(TrackingError, match=r"has no artifact checkpoints/best\.ckpt"):
        restore(store, "a")


@pytest.mark.parametrize("address", ["http://host/a.ckpt", "s3://bucket/a.ckpt", "file:///a.ckpt"])
def test_addresses_are_refused(store, address):
    with pytest.raises(TrackingError, match="none is fetched"):
        restore(store, address)


def test_a_local_checkpoint_with_its_config(store, tmp_path):
    folder = tmp_path / "kept" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "best.ckpt").write_bytes(b"w")
    assert restore(store, str(folder / "best.ckpt")).config is None
    (tmp_path / "kept" / "config.yaml").write_text("backbone: vgg16\n")
    restored = restore(store, str(folder / "best.ckpt"))
    assert (restored.config, restored.record) == ({"backbone": "vgg16"}, None)
    with pytest.raises(TrackingError, match=r"no such checkpoint\n.*that folder has: best\.ckpt"):
        restore(store, str(folder / "last.ckpt"))


def test_from_a_server_the_checkpoint_is_downloaded(server, tmp_path):
    server.start()
    store = open_store(server.uri, "leaves", folder=tmp_path)
    _job(store, tmp_path, "a", config=CONFIG)
    restored = restore(store, "a", into=tmp_path / "fetched")
    assert restored.checkpoint.read_text() == "weights of a"
    assert restored.checkpoint.is_relative_to(tmp_path / "fetched")
    assert restored.config == CONFIG

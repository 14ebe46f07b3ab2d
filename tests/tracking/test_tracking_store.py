import json
import math

import pytest
import yaml

from frostline.errors import TrackingError
from frostline.tracking.store import open_store


@pytest.fixture
def store(fresh_store_uri, tmp_path):
    return open_store(fresh_store_uri, "leaves", folder=tmp_path)


def test_parent_and_child_as_mlflow_shows_them(store):
    parent = store.start_run("sweep", {"frostline.kind": "sweep", "frostline.sweep_id": "s1"})
    tags = {"frostline.kind": "job", "frostline.sweep_id": "s1"}
    child = store.start_run("resnet50-freeze2-seed0", tags, parent.run_id)
    child.log_params({"backbone": "resnet50", "freeze": 2, "image_size": None})
    child.log_metrics({"val/loss": 1.5, "val/acc_micro": 0.25}, 0)
    child.log_metrics({"val/loss": 1.25, "val/acc_micro": 0.5}, 1)
    assert child.finish("FINISHED")
    assert parent.finish("FINISHED")
    (found,) = store.find_runs({"frostline.sweep_id": "s1", "frostline.kind": "job"})
    assert found.run_id == child.run_id
    assert found.name == "resnet50-freeze2-seed0"
    assert found.parent_run_id == parent.run_id
    assert found.params == {"backbone": "resnet50", "freeze": "2", "image_size": "null"}
    assert found.metrics == {"val/loss": 1.25, "val/acc_micro": 0.5}
    assert (found.status, found.experiment) == ("FINISHED", "leaves")
    assert found.duration_s is not None and found.duration_s >= 0
    history = store.metric_history(child.run_id, "val/loss")
    assert [(point.step, point.value) for point in history] == [(0, 1.5), (1, 1.25)]
    assert child.problems == parent.problems == []


def test_parameters_of_6000_characters_and_many_of_them(store):
    run = store.start_run("a", {})
    values = {f"p{number}": "x" * 6000 for number in range(3)}
    values |= {f"q{number}": str(number) for number in range(150)}
    run.log_params(values)
    run.finish("FINISHED")
    assert store.get_run(run.run_id).params == values
    assert run.problems == []


def test_longer_parameters_are_cut_with_a_warning(store):
    run = store.start_run("a", {})
    run.log_params({"p": "x" * 6001})
    run.finish("FINISHED")
    assert store.get_run(run.run_id).params == {"p": "x" * 6000}
    assert run.problems == ["params p: cut to 6000 characters"]


def test_failure_and_its_reason(store):
    run = store.start_run("a", {})
    run.log_text("Traceback ...\nValueError: boom", "traceback.txt")
    run.finish("FAILED", "ValueError: boom")
    record = store.get_run(run.run_id)
    assert (record.status, record.tags["frostline.failure"]) == ("FAILED", "ValueError: boom")
    assert store.fetch_artifact(run.run_id, "traceback.txt").read_text().endswith("boom")


def test_artifacts(store, tmp_path):
    (tmp_path / "best.ckpt").write_bytes(b"weights")
    run = store.start_run("a", {})
    run.log_artifact(tmp_path / "best.ckpt", "checkpoints")
    run.log_dict({"classes": ["Äpfel", "pears"]}, "predictions/classes.json")
    run.log_dict({"lr": 0.001, "name": "Ä"}, "config.yaml")
    run.log_artifact(tmp_path / "missing.ckpt")
    run.finish("FINISHED")
    best = store.fetch_artifact(run.run_id, "checkpoints/best.ckpt")
    assert best.read_bytes() == b"weights"
    assert best.is_relative_to(tmp_path / "mlartifacts")
    classes = store.fetch_artifact(run.run_id, "predictions/classes.json")
    assert json.loads(classes.read_text())["classes"][0] == "Äpfel"
    config = store.fetch_artifact(run.run_id, "config.yaml")
    assert yaml.safe_load(config.read_text()) == {"lr": 0.001, "name": "Ä"}
    assert store.list_artifacts(run.run_id, "checkpoints") == ["checkpoints/best.ckpt"]
    assert run.problems == [f"artifact {tmp_path / 'missing.ckpt'}: there is no such file"]
    with pytest.raises(TrackingError, match=r"has no artifact checkpoints/last\.ckpt"):
        store.fetch_artifact(run.run_id, "checkpoints/last.ckpt")


def test_a_resumed_run_continues_and_logs_no_step_twice(store):
    run = store.start_run("a", {})
    run.log_metrics({"val/loss": 3.0}, 0)
    run.log_metrics({"val/loss": 2.0}, 1)
    run.finish("KILLED", "Ctrl-C")
    again = store.resume_run(run.run_id)
    record = store.get_run(run.run_id)
    assert record.status == "RUNNING"
    assert "frostline.failure" not in record.tags
    again.log_metrics({"val/loss": 2.0, "val/acc_micro": 0.5}, 1)
    again.log_metrics({"val/loss": 1.0, "val/acc_micro": 0.75}, 2)
    again.finish("FINISHED")
    client = store.client
    rows = client.get_metric_history(run.run_id, "val/loss")
    assert sorted((row.step, row.value) for row in rows) == [(0, 3.0), (1, 2.0), (2, 1.0)]
    steps = [point.step for point in store.metric_history(run.run_id, "val/acc_micro")]
    assert steps == [1, 2]
    assert store.get_run(run.run_id).status == "FINISHED"


def test_adding_to_an_ended_run_leaves_its_state_and_times(store, tmp_path):
    run = store.start_run("a", {})
    run.log_metrics({"loss": 1.0}, 0)
    run.finish("FAILED", "boom")
    before = store.get_run(run.run_id)
    (tmp_path / "report.html").write_text("page")
    with store.amend_run(run.run_id) as amended:
        amended.log_artifact(tmp_path / "report.html", "report")
        amended.log_metrics({"eval/loss": 2.0}, 0)
        amended.set_tags({"note": "later"})
    after = store.get_run(run.run_id)
    assert (after.status, after.start_ms, after.end_ms) == (
        "FAILED",
        before.start_ms,
        before.end_ms,
    )
    assert after.tags == before.tags | {"note": "later"}
    assert after.metrics == {"loss": 1.0, "eval/loss": 2.0}
    assert store.fetch_artifact(run.run_id, "report/report.html").read_text() == "page"
    with store.amend_run(run.run_id) as again:  # its ownership was released
        assert again.undelivered == 0


def test_a_running_run_is_not_amended(store):
    run = store.start_run("a", {})
    not_ended = pytest.raises(TrackingError, match="is RUNNING: it has not ended")
    with not_ended, store.amend_run(run.run_id):
        pass


def test_an_error_while_amending_leaves_the_run_as_it_was(store):
    run = store.start_run("a", {})
    run.finish("FINISHED")
    with pytest.raises(KeyError), store.amend_run(run.run_id):
        raise KeyError
    assert store.get_run(run.run_id).status == "FINISHED"
    assert not list(store.address.locks_dir.glob("run-*"))


def test_nan_and_infinity_are_logged(store):
    run = store.start_run("a", {})
    run.log_metrics({"loss": float("nan"), "up": float("inf")}, 0)
    run.finish("FAILED", "diverged")
    record = store.get_run(run.run_id)
    assert math.isnan(record.metrics["loss"])
    assert record.metrics["up"] > 1e300


def test_what_the_store_refuses_is_a_problem_and_not_an_error(store):
    run = store.start_run("a", {})
    run.log_params({"lr": 1})
    run.log_params({"lr": 2})
    run.log_metrics({"bad\nname": 1.0}, 0)
    run.log_metrics({"good": 1.0}, 0)
    assert run.finish("FINISHED")
    record = store.get_run(run.run_id)
    assert (record.params["lr"], dict(record.metrics)) == ("1", {"good": 1.0})
    assert [problem[:20] for problem in run.problems] == [
        "params lr: refused b",
        "metrics bad\nname: re",
    ]


def test_finding_by_status_order_and_experiment(store, fresh_store_uri, tmp_path):
    for name, status in [("a", "FINISHED"), ("b", "FAILED"), ("c", "FINISHED")]:
        store.start_run(name, {"group": "it's"}).finish(status)
    other = open_store(fresh_store_uri, "other", folder=tmp_path)
    other.start_run("d", {"group": "it's"}).finish("FINISHED")
    tags = {"group": "it's"}
    names = [record.name for record in store.find_runs(tags, status=["FINISHED"])]
    assert names == ["c", "a"]
    assert [record.name for record in other.find_runs(tags)] == ["d"]
    everywhere = store.find_runs(tags, everywhere=True)
    assert {(record.name, record.experiment) for record in everywhere} == {
        ("a", "leaves"),
        ("b", "leaves"),
        ("c", "leaves"),
        ("d", "other"),
    }


def test_unknown_run(store):
    with pytest.raises(TrackingError, match="there is no such run in sqlite"):
        store.get_run("0" * 32)


def test_deleted_experiment_is_an_error(store, fresh_store_uri, tmp_path):
    client = store.client
    client.delete_experiment(client.get_experiment_by_name("leaves").experiment_id)
    with pytest.raises(TrackingError, match="this experiment was deleted"):
        open_store(fresh_store_uri, "leaves", folder=tmp_path)


def test_ui_command(store, tmp_path, monkeypatch):
    assert store.address.ui_command == f"python -m src.ui --uri sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.chdir(tmp_path)
    assert store.address.ui_command == "make ui"
    monkeypatch.setenv("FROSTLINE_CALLED_AS", "frostline ")  # installed: there is no Makefile
    assert store.address.ui_command == "frostline ui"


def test_a_moved_folder_still_has_its_artifacts_and_a_warning_names_the_old_one(tmp_path, caplog):
    (tmp_path / "old").mkdir()
    store = open_store(None, "leaves", folder=tmp_path / "old")
    run = store.start_run("a", {})
    run.log_text("lr: 1", "config.yaml")
    run.finish("FINISHED")
    (tmp_path / "old").rename(tmp_path / "new")
    moved = open_store(None, "leaves", folder=tmp_path / "new")
    assert moved.fetch_artifact(run.run_id, "config.yaml").read_text() == "lr: 1"
    assert "was moved" in caplog.text


def test_experiment_opens_in_the_view_for_models(store):
    found = store.client.get_experiment_by_name("leaves")
    assert found.tags["mlflow.experimentKind"] == "custom_model_development"


def test_the_data_set_is_on_the_run_and_logging_it_twice_changes_nothing(
    fresh_store_uri: str,
) -> None:
    from mlflow import MlflowClient

    store = open_store(fresh_store_uri, "data")
    run = store.start_run("a", {})
    for _ in range(2):
        run.log_dataset("leaves", digest="f" * 64, source="drawn", profile={"images": 6})
    run.finish("FINISHED")
    (given,) = MlflowClient(fresh_store_uri).get_run(run.run_id).inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("leaves", "f" * 36)
    assert given.dataset.profile == '{"images": 6}'
    assert run.problems == []

"""What a sweep's own run shows in MLflow."""

import pytest

from frostline.sweeps import sweep_run
from frostline.sweeps.outcome import Outcome
from frostline.tracking.store import open_store


def outcome(name, freeze, score, state="done"):
    return Outcome(
        digest=name,
        name=name,
        state=state,
        run_id=f"id-{name}",
        params={"backbone": "net", "freeze": freeze},
        metrics={"val_best/f1_macro": score, "test/f1_macro": score - 0.1, "time/train_s": 2.0},
    )


@pytest.fixture
def store(fresh_store_uri, tmp_path):
    return open_store(fresh_store_uri, "leaves", folder=tmp_path)


def test_the_best_job_and_the_table_stand_on_the_sweeps_run(store):
    run = store.start_run("sweep-1", {"frostline.kind": "sweep"})
    sweep_run.record_best(run, [outcome("a", "0", 0.5), outcome("b", "2", 0.75)])
    run.finish("FINISHED")
    record = store.get_run(run.run_id)
    assert record.metrics == {"val_best/f1_macro": 0.75, "test/f1_macro": 0.65}
    best = {key: value for key, value in record.tags.items() if key.startswith("best")}
    assert best == {"best": "b", "best_run": "id-b", "best_backbone": "net", "best_freeze": "2"}
    note = record.tags["mlflow.note.content"]
    assert note.index("| net | 2 |") < note.index("| net | 0 |")


def test_a_resumed_sweep_shows_its_new_best(store):
    run = store.start_run("sweep-1", {"frostline.kind": "sweep"})
    sweep_run.record_best(run, [outcome("a", "0", 0.75), outcome("b", "2", 0.0, "failed")])
    run.finish("FAILED")
    again = store.resume_run(run.run_id)
    sweep_run.record_best(again, [outcome("a", "0", 0.75), outcome("b", "2", 0.875)])
    again.finish("FINISHED")
    record = store.get_run(run.run_id)
    assert record.metrics["val_best/f1_macro"] == 0.875
    assert record.tags["best_freeze"] == "2"


def test_a_sweep_without_results_has_no_best(store):
    run = store.start_run("sweep-1", {"frostline.kind": "sweep"})
    sweep_run.record_best(run, [outcome("a", "0", 0.5, "failed")])
    run.finish("FAILED")
    record = store.get_run(run.run_id)
    assert record.metrics == {}
    assert "best" not in record.tags


def test_a_long_table_ends_with_how_much_is_left_out(store):
    outcomes = [outcome(f"job{k:03d}", str(k), k / 1000) for k in range(400)]
    text = sweep_run.description(outcomes)
    assert len(text) < 8000
    kept = text.count("| net |")
    assert 50 < kept < 400
    assert text.endswith(f"and {400 - kept} more, in the artifact outcome.md")
    assert "| net | 399 |" in text

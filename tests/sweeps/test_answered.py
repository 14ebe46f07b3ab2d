"""When a command is answered from what is there, and when the usual way has to be gone."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from frostline.config.schema import Settings
from frostline.config.versions import installed_libraries
from frostline.sweeps import answered, known_facts
from frostline.sweeps.data_check import DataFacts
from frostline.sweeps.job_runs import experiment_of
from frostline.sweeps.plan import JobFacts, plan_job, with_first_seeds
from frostline.tracking.store import open_store
from tests.config.test_read_settings import settings
from tests.integration.conftest import draw_classes

WORDS = ("backbone=test_resnet", "weights=random", "image_size=32", "data=folder", "lr=0.1")


def facts_of(job: Settings) -> JobFacts:
    from frostline.sweeps.data_check import data_key, read_data

    data = read_data([job], lambda function, *given: function(*given), lambda **_: None)
    fingerprint, split, n_train, _ = data[data_key(job)]
    return JobFacts(
        fingerprint, split, "", n_train, 0, 5, 32, 2**20, "cpu 32-true", installed_libraries()
    )


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_store_uri: str) -> Settings:
    """A job that a finished run answers, its facts known."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    draw_classes(tmp_path / "photos")
    (one,) = with_first_seeds([settings(*WORDS, "data.path=photos")])
    record(one, fresh_store_uri)
    return one


def record(one: Settings, uri: str, **tags: str) -> None:
    facts = facts_of(one)
    known_facts.remember([one], [facts], {})
    planned = plan_job(0, (), one, facts)
    from frostline.config.identity import config_digest

    run = open_store(uri, experiment_of(one)).start_run(
        "test_resnet-freeze0-seed0",
        {
            "frostline.kind": "job",
            "frostline.job_digest": planned.digest,
            "frostline.config_digest": config_digest(one),
            "frostline.data_fingerprint": facts.data_fingerprint,
            **tags,
        },
    )
    run.log_params({"backbone": "test_resnet", "freeze": "0"})
    run.log_metrics({"val_best/f1_macro": 0.5}, step=0)
    run.finish("FINISHED")


def ask(one: Settings) -> answered.Answered | None:
    return answered.answer([((), one)], is_sweep=False)


def changed(one: Settings, **values: Any) -> Settings:
    return one.model_copy(update=values)


def test_a_finished_run_answers(job: Settings) -> None:
    found = ask(job)
    assert found is not None
    (outcome,) = found.outcomes
    assert (outcome.state, outcome.metrics["val_best/f1_macro"]) == ("reused", 0.5)
    assert outcome.params == {"backbone": "test_resnet", "freeze": "0"}
    assert found.texts[-1] == "1 job, 1 finished already"
    assert answered.may_be_answered(job)


def test_other_settings_are_not_answered(job: Settings) -> None:
    for other in (
        changed(job, seed=1),
        changed(job, lr=0.2),
        changed(job, rerun=True),
        changed(job, dry_run=True),
        changed(job, freeze=1),
    ):
        assert ask(other) is None
        assert not answered.may_be_answered(other)
    assert ask(job) is not None


def test_changed_data_are_not_answered(job: Settings, tmp_path: Path) -> None:
    picture = tmp_path / "photos" / "rising" / "0.png"
    picture.write_bytes((tmp_path / "photos" / "falling" / "1.png").read_bytes())
    assert ask(job) is None
    picture.unlink()
    assert ask(job) is None


def test_other_code_libraries_or_devices_are_not_answered(
    job: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_OF_THIS_TEST", "7")
    assert ask(job) is None
    monkeypatch.delenv("CUDA_OF_THIS_TEST")
    assert ask(job) is not None
    monkeypatch.setattr(known_facts, "version", lambda _: "99.0")
    known_facts._versions.cache_clear()  # as in a process that starts with them
    try:
        assert ask(job) is None
    finally:
        known_facts._versions.cache_clear()


def test_what_waits_for_the_store_is_not_overlooked(job: Settings, tmp_path: Path) -> None:
    from frostline.tracking.address import resolve_address

    journals = resolve_address(None, tmp_path).journals_dir
    journals.mkdir(parents=True)
    (journals / "some.jsonl").touch()
    assert ask(job) is None


def test_a_damaged_store_or_note_is_left_to_the_usual_way(job: Settings, tmp_path: Path) -> None:
    (note,) = (tmp_path / "cache" / "backbones").glob("*.json")
    whole = note.read_text()
    for text in ("{", json.dumps({"file": ""}), "[]"):
        note.write_text(text)
        assert ask(job) is None
    note.write_text(whole)
    assert ask(job) is not None
    (tmp_path / "mlflow.db").write_bytes(b"garbage" * 1000)
    assert ask(job) is None


def test_weights_that_were_replaced_are_looked_up_again(job: Settings, tmp_path: Path) -> None:
    file = tmp_path / "own.pth"
    file.write_bytes(b"1")
    own = changed(job, weights="own.pth")
    facts = replace(facts_of(own), weights_digest="a" * 64)
    known_facts.remember([own], [facts], {("test_resnet", "own.pth"): file})
    assert known_facts.known_facts([own], [DataFacts("f", "s", 1, None)]) is not None
    file.write_bytes(b"22")
    assert known_facts.known_facts([own], [DataFacts("f", "s", 1, None)]) is None
    file.unlink()
    assert not known_facts.are_known([own])

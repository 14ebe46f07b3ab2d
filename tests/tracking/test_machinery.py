"""Tags that only Frostline reads: one tag in the store, each by its own name everywhere else."""

import json

import pytest
from mlflow import MlflowClient

from frostline.tracking.address import resolve_address
from frostline.tracking.machinery import MACHINERY, MACHINERY_TAG, folded, unfolded
from frostline.tracking.quick_look import runs_tagged
from frostline.tracking.store import open_store

DIGEST = "frostline.weights_digest"
LONG = "frostline.libraries"


@pytest.fixture
def store(fresh_store_uri, tmp_path):
    return open_store(fresh_store_uri, "leaves", folder=tmp_path)


def _stored(uri, run_id):
    return MlflowClient(tracking_uri=uri).get_run(run_id).data.tags


def test_the_store_shows_what_people_read(store, fresh_store_uri, tmp_path):
    run = store.start_run("job", {"frostline.job_digest": "a1", DIGEST: "c1", "crop": "bean"})
    run.set_tags({"frostline.frozen_digest": "f1", "frostline.device": "a card"})
    run.finish("FINISHED")
    stored = _stored(fresh_store_uri, run.run_id)
    assert not MACHINERY & set(stored)
    assert stored["crop"] == "bean"
    assert stored["frostline.job_digest"] == "a1"
    inner = json.loads(stored[MACHINERY_TAG])
    assert inner[DIGEST] == "c1" and inner["frostline.frozen_digest"] == "f1"
    assert {"frostline.pid", "frostline.boot", "frostline.host"} <= set(inner)
    record = store.get_run(run.run_id)
    assert MACHINERY_TAG not in record.tags
    assert record.tags[DIGEST] == "c1" and record.tags["frostline.frozen_digest"] == "f1"
    quick = runs_tagged(
        resolve_address(fresh_store_uri, tmp_path), "leaves", "frostline.job_digest", ["a1"]
    )
    assert quick is not None
    assert dict(quick[0].tags) == dict(record.tags)


def test_each_kind_of_request_adds_to_it(store, fresh_store_uri):
    run = store.start_run("job", {DIGEST: "c1"})
    with run.batched():
        run.set_tags({"frostline.split_digest": "s1"})
        run.log_params({"lr": 0.1})
    run.finish("KILLED")
    again = store.resume_run(run.run_id)
    again.set_tags({"frostline.split_digest": "s2"})
    again.finish("FINISHED")
    with store.amend_run(run.run_id) as amended:
        amended.set_tags({"frostline.numerics": "cpu"})
    inner = json.loads(_stored(fresh_store_uri, run.run_id)[MACHINERY_TAG])
    assert (inner[DIGEST], inner["frostline.split_digest"]) == ("c1", "s2")
    assert inner["frostline.numerics"] == "cpu"


def test_what_waits_in_a_journal_is_folded_when_it_is_delivered(fresh_store_uri, tmp_path):
    away = open_store(fresh_store_uri, "leaves", folder=tmp_path, offline=True)
    run = away.start_run("job", {DIGEST: "c1"})
    run.set_tags({"frostline.split_digest": "s1"})
    assert away.get_run(run.run_id).tags["frostline.split_digest"] == "s1"
    run.finish("FINISHED")
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    assert store.deliver_pending() == 0
    (record,) = store.find_runs({})
    assert (record.tags[DIGEST], record.tags["frostline.split_digest"]) == ("c1", "s1")
    assert not MACHINERY & set(_stored(fresh_store_uri, record.run_id))


def test_a_run_recorded_before_they_were_folded_takes_its_new_owner(store, fresh_store_uri):
    client = MlflowClient(tracking_uri=fresh_store_uri)
    run = store.start_run("job", {})
    run.finish("KILLED")
    client.delete_tag(run.run_id, MACHINERY_TAG)
    client.set_tag(run.run_id, "frostline.pid", "1")
    client.set_tag(run.run_id, DIGEST, "old")
    assert store.get_run(run.run_id).tags["frostline.pid"] == "1"
    store.resume_run(run.run_id).finish("FINISHED")
    tags = store.get_run(run.run_id).tags
    assert tags["frostline.pid"] != "1"
    assert tags[DIGEST] == "old"


def test_a_long_value_is_a_tag_of_its_own_and_the_newest_value_counts():
    short, long = {LONG: "timm 1.0"}, {LONG: "x" * 301}
    first = folded({**short, DIGEST: "c1"})
    assert unfolded(first) == {**short, DIGEST: "c1"}
    second = folded(long, first[MACHINERY_TAG])
    assert unfolded({**first, **second}) == {**long, DIGEST: "c1"}
    third = folded(short, second[MACHINERY_TAG])
    assert unfolded({**first, **second, **third}) == {**short, DIGEST: "c1"}
    assert folded({"crop": "bean"}, first[MACHINERY_TAG]) == {"crop": "bean"}


def test_all_of_them_fit_into_one_tag():
    tags = dict.fromkeys(MACHINERY, '"' * 149)  # each character takes two in JSON
    assert len(folded(tags)[MACHINERY_TAG]) <= 8000


@pytest.mark.parametrize("text", ["{", "[1]", '{"mlflow.user": "x"}'])
def test_a_damaged_tag_adds_nothing(text):
    assert unfolded({MACHINERY_TAG: text, "crop": "bean"}) == {"crop": "bean"}


def test_the_store_is_not_searched_by_what_it_cannot_see(store):
    with pytest.raises(ValueError, match="cannot search by"):
        store.find_runs({DIGEST: "c1"})

"""A batch logs the same as its entries would one by one."""

from pathlib import Path
from typing import Any

import pytest

from frostline.tracking import outbox
from frostline.tracking.store import Store, open_store
from frostline.tracking.tracked_run import Run


def logged(store: Store, run_id: str) -> tuple[dict[str, str], dict[str, float], str | None]:
    found = store.get_run(run_id)
    return dict(found.params), dict(found.metrics), found.tags.get("why")


def log_all(store: Store) -> Run:
    run = store.start_run("a", {})
    with run.batched():
        run.set_tags({"why": "first"})
        run.log_params({"lr": 0.1})
        run.log_metrics({"loss": 2.0}, 0)
        run.log_text("x", "note.txt")
        run.log_params({"seed": 3})
        run.log_metrics({"loss": 1.0, "acc": 0.5}, 1)
        run.set_tags({"why": "last"})
    return run


WANTED = ({"lr": "0.1", "seed": "3"}, {"loss": 1.0, "acc": 0.5}, "last")


def test_one_call_and_the_same_content(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    calls: list[int] = []
    send = outbox.send_batch

    def counted(client: Any, run_id: str, entries: Any, own: Any) -> None:
        calls.append(len(entries))
        send(client, run_id, entries, own)

    monkeypatch.setattr(outbox, "send_batch", counted)
    run = log_all(store)
    assert calls == [6]
    assert logged(store, run.run_id) == WANTED
    assert run.finish("FINISHED")


def test_a_batch_that_is_refused_is_sent_one_by_one(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("too many in one request")

    monkeypatch.setattr(outbox, "send_batch", refuse)
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    assert logged(store, log_all(store).run_id) == WANTED


def test_an_error_in_the_block_loses_nothing(tmp_path: Path, fresh_store_uri: str) -> None:
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    with pytest.raises(ValueError, match="oops"), run.batched():
        run.log_params({"lr": 0.1})
        run.log_metrics({"loss": 2.0}, 0)
        raise ValueError("oops")
    assert logged(store, run.run_id) == ({"lr": "0.1"}, {"loss": 2.0}, None)


def test_what_is_held_is_one_call_an_epoch_and_one_at_the_end(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {"frostline.torch": "2"})
    calls: list[str] = []
    for name in ("log_batch", "get_run"):
        plain = getattr(store.client, name)

        def counted(*given: Any, _plain: Any = plain, _name: str = name, **values: Any) -> Any:
            calls.append(_name)
            return _plain(*given, **values)

        monkeypatch.setattr(store.client, name, counted)
    with run.held():
        run.log_params({"lr": 0.1})
        run.set_tags({"frostline.frozen_digest": "f"})
        with run.batched():
            run.log_params({"seed": 3})
        assert calls == []
        run.log_metrics({"loss": 2.0}, 0)
        run.flush()
        assert calls == ["log_batch"]
        run.set_tags({"why": "last"})
        run.log_metrics({"loss": 1.0, "acc": 0.5}, 1)
    assert calls == ["log_batch", "log_batch"]
    assert logged(store, run.run_id) == WANTED
    tags = store.get_run(run.run_id).tags
    assert (tags["frostline.torch"], tags["frostline.frozen_digest"]) == ("2", "f")


def test_an_error_while_entries_are_held_loses_nothing(
    tmp_path: Path, fresh_store_uri: str
) -> None:
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    with pytest.raises(ValueError, match="oops"), run.held():
        run.log_params({"lr": 0.1})
        run.log_metrics({"loss": 2.0}, 0)
        raise ValueError("oops")
    assert logged(store, run.run_id) == ({"lr": "0.1"}, {"loss": 2.0}, None)

"""What waits is shown, delivered where a person says, or dropped because a person says so."""

import shutil

import pytest

from frostline.commands.tracking import main
from frostline.tracking.store import open_store


@pytest.fixture
def here(tmp_path, empty_store_file, monkeypatch):
    for name in ("a.db", "b.db"):
        shutil.copyfile(empty_store_file, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _offline_run(uri, folder):
    run = open_store(uri, "leaves", folder=folder, offline=True).start_run("job-7", {})
    run.log_metrics({"loss": 1.0}, 0)
    (folder / "best.ckpt").write_bytes(b"weights")
    run.log_artifact(folder / "best.ckpt", "checkpoints")
    run.finish("FINISHED")
    return run


def test_what_waits_is_named_with_its_store_and_dropped_by_name(here, capsys):
    run = _offline_run("sqlite:///a.db", here)
    assert main(["--uri", "sqlite:///b.db"]) == 1
    text = capsys.readouterr().out
    assert f"job-7 ({run.run_id}): 4 entries for sqlite:///a.db, for " in text
    assert "this store" not in text
    assert main(["drop", "job-7", "--uri", "sqlite:///b.db"]) == 0
    assert main(["--uri", "sqlite:///b.db"]) == 0
    assert not [path for path in (here / ".frostline/journal").rglob("*") if path.is_file()]


def test_a_person_may_send_it_to_another_store(here, capsys):
    _offline_run("sqlite:///a.db", here)
    assert main(["deliver", "job-7", "--uri", "sqlite:///b.db"]) == 0
    store = open_store("sqlite:///b.db", "leaves")
    (record,) = store.find_runs({})
    assert (record.status, record.metrics) == ("FINISHED", {"loss": 1.0})
    assert store.fetch_artifact(record.run_id, "checkpoints/best.ckpt").read_bytes() == b"weights"
    assert open_store("sqlite:///a.db", "leaves").find_runs({}) == []
    assert main([]) == 0


def test_what_was_set_aside_or_refused_is_tried_again(here, capsys):
    store = open_store("sqlite:///a.db", "leaves")
    run = store.start_run("job", {})
    store.client.delete_run(run.run_id)
    run.log_metrics({"loss": 1.0}, 0)
    run.finish("FINISHED")
    assert main(["check", "--uri", "sqlite:///a.db"]) == 1
    text = capsys.readouterr().out
    assert f"{run.run_id}: 2 entries for sqlite:///a.db, this store, for" in text
    assert "(set aside): the run" in text
    assert main(["deliver", run.run_id[:8], "--uri", "sqlite:///a.db"]) == 1
    store.client.restore_run(run.run_id)
    assert main(["deliver", run.run_id[:8], "--uri", "sqlite:///a.db"]) == 0
    record = store.get_run(run.run_id)
    assert (record.status, record.metrics) == ("FINISHED", {"loss": 1.0})

    again = store.start_run("twice", {})
    again.log_params({"lr": 1})
    again.log_params({"lr": 2})
    again.finish("FINISHED")
    assert main(["--uri", "sqlite:///a.db"]) == 1
    assert f"{again.run_id}: 1 refused for sqlite:///a.db, this store" in capsys.readouterr().out
    assert main(["deliver", again.run_id, "--uri", "sqlite:///a.db"]) == 1  # refused once more
    assert main(["drop", again.run_id, "--uri", "sqlite:///a.db"]) == 0


def test_a_run_that_is_alive_is_neither_sent_nor_dropped(here, capsys):
    store = open_store("sqlite:///a.db", "leaves", offline=True)
    run = store.start_run("job", {})
    for action in ("deliver", "drop"):
        with pytest.raises(SystemExit):
            main([action, run.run_id, "--uri", "sqlite:///a.db"])
        assert "still running" in capsys.readouterr().err
    run.finish("KILLED")


@pytest.mark.parametrize("words", [["drop"], ["deliver"], ["check", "x"], ["drop", "nobody"]])
def test_a_wrong_call_says_what_is_allowed(here, capsys, words):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err

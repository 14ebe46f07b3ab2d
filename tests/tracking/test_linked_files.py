"""In a store on the same disk a checkpoint is a second name of the file, and a text is in place."""

import os
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from frostline.tracking.linked_files import written
from frostline.tracking.store import open_store
from tests.full_disk import largest_file


def test_a_checkpoint_is_linked_and_stays_when_the_first_name_goes(
    tmp_path: Path, fresh_store_uri: str
) -> None:
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    for name in ("best.ckpt", "best.ckpt.sha256"):
        (tmp_path / name).write_bytes(name.encode())
        run.log_artifact(tmp_path / name, "checkpoints")
    found = store.fetch_artifact(run.run_id, "checkpoints/best.ckpt")
    assert found.stat().st_ino == (tmp_path / "best.ckpt").stat().st_ino
    other = store.fetch_artifact(run.run_id, "checkpoints/best.ckpt.sha256")
    assert other.stat().st_ino != (tmp_path / "best.ckpt.sha256").stat().st_ino
    (tmp_path / "best.ckpt").unlink()
    assert found.read_bytes() == b"best.ckpt"
    # A resumed run logs another file under the same name.
    (tmp_path / "best.ckpt").write_bytes(b"better")
    run.log_artifact(tmp_path / "best.ckpt", "checkpoints")
    assert found.read_bytes() == b"better"
    assert run.finish("FINISHED")


def test_where_there_are_no_links_it_is_copied(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    (tmp_path / "best.ckpt").write_bytes(b"weights")
    run.log_artifact(tmp_path / "best.ckpt", "checkpoints")
    found = store.fetch_artifact(run.run_id, "checkpoints/best.ckpt")
    assert found.read_bytes() == b"weights"
    assert found.stat().st_ino != (tmp_path / "best.ckpt").stat().st_ino
    assert run.finish("FINISHED")


def test_a_text_is_written_where_it_belongs(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("MLflow copies a text from a temporary folder")

    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    monkeypatch.setattr(MlflowClient, "log_text", refuse)
    for text in ("a long first text\n", "grün\r\n"):
        run.log_text(text, "predictions/classes.json")
        found = store.fetch_artifact(run.run_id, "predictions/classes.json")
        assert found.read_bytes() == text.encode()
    assert run.undelivered == 0
    assert run.finish("FINISHED")


def test_a_text_that_cannot_be_written_is_left_to_mlflow(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = Path.write_text, []

    def refuse(file: Path, *args: Any, **kwargs: Any) -> int:
        if "note.txt" in file.name:
            asked.append(file)
            raise OSError("no room")
        return real(file, *args, **kwargs)

    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    monkeypatch.setattr(Path, "write_text", refuse)
    run.log_text("by MLflow", "note.txt")
    assert len(asked) == 1
    assert store.fetch_artifact(run.run_id, "note.txt").read_text() == "by MLflow"
    assert run.finish("FINISHED")


def test_a_text_that_finds_no_room_leaves_the_one_before_whole(
    tmp_path: Path, fresh_store_uri: str
) -> None:
    """A limit on the size of files stands for a full disk; nothing is replaced by a stand-in."""
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    run = store.start_run("a", {})
    run.log_text("the plan", "plan.json")
    with largest_file(n_bytes=1):
        assert not written(MlflowClient(fresh_store_uri), run.run_id, "another plan", "plan.json")
    found = store.fetch_artifact(run.run_id, "plan.json")
    assert found.read_text() == "the plan"
    assert [file.name for file in found.parent.iterdir()] == ["plan.json"]
    assert run.finish("FINISHED")

"""A file that neither the store nor a journal has room for: the run does not end as finished."""

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from frostline.sweeps.job_end import JobError, ending
from frostline.tracking.store import open_store


@contextmanager
def no_file_beyond(limit_bytes: int) -> Iterator[None]:
    """As on a disk that is full: what is small still fits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_lost_file_fails_its_run(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is on another disk than the checkpoint."""
    monkeypatch.setattr("frostline.tracking.delivery.linked", lambda *_: False)
    store = open_store(fresh_store_uri, "photos", folder=tmp_path)
    checkpoint = tmp_path / "best.ckpt"
    checkpoint.write_bytes(bytes(6_000_000))
    run = store.start_run("one", {})
    with (
        no_file_beyond(5_000_000),
        pytest.raises(JobError, match=r"best\.ckpt") as raised,
        ending(run),
    ):
        run.log_artifact(checkpoint, "checkpoints")
    assert "make room" in raised.value.todo
    record = store.get_run(run.run_id)
    assert record.status == "FAILED"
    assert record.tags["frostline.resumable"] == "true"
    assert "best.ckpt" in record.tags["frostline.failure"]
    assert raised.value.__cause__.errno in {errno.EFBIG, errno.ENOSPC}  # type: ignore[union-attr]


def test_a_checkpoint_on_the_disk_of_the_store_needs_no_room(
    tmp_path: Path, fresh_store_uri: str
) -> None:
    store = open_store(fresh_store_uri, "photos", folder=tmp_path)
    checkpoint = tmp_path / "best.ckpt"
    checkpoint.write_bytes(bytes(6_000_000))
    run = store.start_run("one", {})
    with no_file_beyond(5_000_000), ending(run):
        run.log_artifact(checkpoint, "checkpoints")
    assert store.get_run(run.run_id).status == "FINISHED"
    assert store.fetch_artifact(run.run_id, "checkpoints/best.ckpt").stat().st_size == 6_000_000


def test_a_file_that_the_journal_keeps_is_not_lost(tmp_path: Path, fresh_store_uri: str) -> None:
    store = open_store(fresh_store_uri, "photos", folder=tmp_path, offline=True)
    checkpoint = tmp_path / "best.ckpt"
    checkpoint.write_bytes(bytes(1000))
    run = store.start_run("one", {})
    with ending(run):
        run.log_artifact(checkpoint, "checkpoints")
    assert store.get_run(run.run_id).status == "FINISHED"

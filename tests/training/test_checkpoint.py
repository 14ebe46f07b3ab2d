"""Checkpoints are whole or refused, and nothing in them is executed."""

import os
import pickle
import resource
from pathlib import Path
from typing import Any

import pytest
import torch

from frostline.training.checkpoint import (
    CheckpointError,
    digest_path,
    load_checkpoint,
    save_checkpoint,
)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a" / "last.ckpt"
    save_checkpoint({"state_dict": {"w": torch.arange(3.0)}, "epoch": 2}, path)
    loaded = load_checkpoint(path)
    assert loaded["epoch"] == 2
    assert torch.equal(loaded["state_dict"]["w"], torch.arange(3.0))
    assert sorted(p.name for p in path.parent.iterdir()) == ["last.ckpt", "last.ckpt.sha256"]


@pytest.mark.parametrize("damage", ["truncate", "flip", "no digest"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "last.ckpt"
    save_checkpoint({"w": torch.arange(300.0)}, path)
    raw = path.read_bytes()
    if damage == "truncate":
        path.write_bytes(raw[: len(raw) // 2])
    elif damage == "flip":
        path.write_bytes(raw[:400] + bytes([raw[400] ^ 1]) + raw[401:])
    else:
        digest_path(path).unlink()
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.target),))


def test_a_malicious_checkpoint_executes_nothing(tmp_path: Path) -> None:
    path, target = tmp_path / "evil.ckpt", tmp_path / "made by the checkpoint"
    torch.save({"state_dict": {}, "x": Malicious(target)}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of plain tensors"):
        load_checkpoint(path, check=False)
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Malicious(target)))
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "evil.pkl", check=False)
    assert not target.exists()


def test_an_address_is_refused() -> None:
    with pytest.raises(CheckpointError, match="not fetched from addresses"):
        load_checkpoint(Path("https://example.org/best.ckpt"))


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    """The disk is 'full' by a limit on the size of files, set in a child process."""
    path = tmp_path / "last.ckpt"
    save_checkpoint({"epoch": 1}, path)
    pid = os.fork()
    if pid == 0:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            save_checkpoint({"w": torch.zeros(100_000), "epoch": 2}, path)
        except OSError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert load_checkpoint(path)["epoch"] == 1
    assert not list(tmp_path.glob("*.tmp"))

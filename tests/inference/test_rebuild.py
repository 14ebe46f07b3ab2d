"""Nothing is unpickled, and what does not fit is an error."""

import io
import os
import pickle
from pathlib import Path

import pytest
import torch
import yaml

from frostline.errors import ConfigError, TrackingError
from frostline.inference.rebuild import rebuild_run
from frostline.tracking.reader import Reader
from frostline.training.checkpoint import CheckpointError, digest_path, save_checkpoint
from tests.inference.tiny_run import save_untrained


def no_store() -> Reader:
    raise AssertionError("a checkpoint's path needs no store")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_untrained(tmp_path)


def test_a_path_is_enough(checkpoint: Path) -> None:
    rebuilt = rebuild_run(no_store, str(checkpoint))
    assert rebuilt.classes == ("falling", "level", "rising")
    assert rebuilt.network(torch.zeros(2, 3, 64, 64)).shape == (2, 3)
    assert not rebuilt.network.training


class Evil:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.witness),)


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_code_in_a_checkpoint_is_not_run(checkpoint: Path, kind: str, tmp_path: Path) -> None:
    witness = tmp_path / "was_run"
    content = {"state_dict": {"head.0.weight": Evil(witness)}}
    if kind == "pickle":
        checkpoint.write_bytes(pickle.dumps(content))
    else:
        buffer = io.BytesIO()
        torch.save(content, buffer)
        checkpoint.write_bytes(buffer.getvalue())
    digest_path(checkpoint).unlink()
    with pytest.raises(CheckpointError, match="not a checkpoint of plain tensors"):
        rebuild_run(no_store, str(checkpoint))
    assert not witness.exists()


def test_a_damaged_checkpoint_is_named(checkpoint: Path) -> None:
    raw = bytearray(checkpoint.read_bytes())
    raw[len(raw) // 2] ^= 1
    checkpoint.write_bytes(bytes(raw))
    with pytest.raises(CheckpointError, match="damaged"):
        rebuild_run(no_store, str(checkpoint))


def test_a_checkpoint_fetched_without_its_checksum_is_used(checkpoint: Path) -> None:
    digest_path(checkpoint).unlink()
    assert rebuild_run(no_store, str(checkpoint)).geometry.shape == (64, 64)


def test_weights_of_another_network_are_refused(checkpoint: Path) -> None:
    save_checkpoint({"state_dict": {"backbone.model.conv1.weight": torch.zeros(2)}}, checkpoint)
    with pytest.raises(CheckpointError, match=r"do not fit the config beside it: backbone\.model"):
        rebuild_run(no_store, str(checkpoint))


def test_a_foreign_checkpoint_has_no_weights_of_a_run(checkpoint: Path) -> None:
    save_checkpoint({"model": {"weight": torch.zeros(2)}}, checkpoint)
    with pytest.raises(CheckpointError, match="no weights of a run"):
        rebuild_run(no_store, str(checkpoint))


def test_addresses_are_refused() -> None:
    with pytest.raises(TrackingError, match="could run any code"):
        rebuild_run(no_store, "https://example.org/best.ckpt")


def test_what_lies_beside_a_checkpoint_is_asked_for(checkpoint: Path) -> None:
    (checkpoint.parent.parent / "predictions" / "classes.json").unlink()
    with pytest.raises(TrackingError, match=r"classes\.json"):
        rebuild_run(no_store, str(checkpoint))


def test_a_config_of_before_some_keys_takes_their_defaults(checkpoint: Path) -> None:
    file = checkpoint.parent.parent / "config.yaml"
    values = yaml.safe_load(file.read_text())
    del values["evidence"], values["data"]["sampling"]
    file.write_text(yaml.safe_dump(values))
    settings = rebuild_run(no_store, str(checkpoint)).settings
    assert settings.evidence.name == "light"
    assert settings.data.sampling == "natural"


def test_a_config_of_another_program_is_refused(checkpoint: Path) -> None:
    (checkpoint.parent.parent / "config.yaml").write_text("backbone: [1, 2]\nlearning: fast\n")
    with pytest.raises(ConfigError, match=r"cannot be read by this version: .*learning"):
        rebuild_run(no_store, str(checkpoint))

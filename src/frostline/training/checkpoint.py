"""Checkpoints that are whole or absent: written beside, synced, renamed, and checked on reading."""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from frostline.errors import FrostlineError
from frostline.files import replacing


class CheckpointError(FrostlineError):
    """A checkpoint that is damaged, not ours, or not a local file."""


def digest_path(path: Path) -> Path:
    """The file with the checksum of a checkpoint."""
    return path.with_name(path.name + ".sha256")


def save_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Save a checkpoint and its checksum."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    raw = buffer.getvalue()
    digest = hashlib.sha256(raw).hexdigest()
    # Two files cannot change at once: for a moment the checksums of the old and of the new
    # checkpoint are both stored, so that either file is valid whenever we are interrupted.
    before = _digests(path) if path.exists() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(digest_path(path)) as temporary:
        temporary.write_text("\n".join([*before, digest]))
    with replacing(path) as temporary:
        temporary.write_bytes(raw)
    if before:
        with replacing(digest_path(path)) as temporary:
            temporary.write_text(digest)


def _digests(path: Path) -> list[str]:
    """The checksums that the checkpoint at this path may have."""
    file = digest_path(path)
    return file.read_text().split() if file.is_file() else []


def load_checkpoint(path: Path, *, check: bool = True) -> dict[str, Any]:
    """Load a checkpoint of ours without executing anything that it holds.

    Args:
        path: A local file.
        check: Whether the checksum beside it must match.

    Raises:
        CheckpointError: If it is an address, missing, damaged, or holds more than plain tensors.
    """
    if "://" in str(path) or str(path).startswith(("http:", "https:")):
        raise CheckpointError(
            f"{path}: checkpoints are not fetched from addresses",
            "a local file",
            "download it yourself, if you trust it, and give its path",
        )
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such checkpoint")
    raw = path.read_bytes()
    if check and hashlib.sha256(raw).hexdigest() not in _digests(path):
        raise CheckpointError(f"{path}: the checkpoint is damaged (its checksum is wrong)")
    try:
        content = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path}: not a checkpoint of plain tensors ({type(error).__name__})",
            todo="use a checkpoint that Frostline wrote, or a .safetensors file as weights=PATH",
        ) from None
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path}: a checkpoint is a dictionary, not a {type(content).__name__}"
        )
    return content

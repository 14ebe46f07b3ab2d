"""Checkpoints as Lightning writes and reads them."""

from pathlib import Path
from typing import Any

from pytorch_lightning.plugins.io import CheckpointIO

from frostline.training.checkpoint import digest_path, load_checkpoint, save_checkpoint


class AtomicCheckpointIO(CheckpointIO):
    """Lightning's interface to `save_checkpoint` and `load_checkpoint`."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: Any,
        storage_options: Any | None = None,  # noqa: ARG002
    ) -> None:
        """Save atomically."""
        save_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self,
        path: Any,
        map_location: Any | None = None,  # noqa: ARG002
        weights_only: bool | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Load plain tensors, on the CPU."""
        return load_checkpoint(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint and its checksum."""
        Path(path).unlink(missing_ok=True)
        digest_path(Path(path)).unlink(missing_ok=True)

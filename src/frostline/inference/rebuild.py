"""Rebuild a restored run: its network, its classes, its preprocessing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from frostline.backbones.backbone import Backbone
from frostline.backbones.build import build_backbone
from frostline.backbones.split.cut import cut
from frostline.config.recorded_config import recorded_settings
from frostline.config.schema import Settings
from frostline.data.geometry import Geometry, evaluation_geometry
from frostline.data.transforms import BatchTransform
from frostline.errors import TrackingError
from frostline.plugins.folders import conf_folders, remember
from frostline.plugins.own_backbones import backbone_code
from frostline.plugins.part import PluginChangedError, PluginError
from frostline.scratch import ScratchFolder
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord
from frostline.tracking.restore import (
    CHECKPOINT,
    Restored,
    is_checkpoint_path,
    restore,
    restore_file,
)
from frostline.training.checkpoint import CheckpointError, digest_path, load_checkpoint
from frostline.training.parts import head_of

CLASSES = "predictions/classes.json"


class Network(nn.Module):
    """Backbone and head as one module.

    Args:
        features: Normalised images (B, 3, S, S) to features (B, F); shares the backbone's modules.
        head: Features to logits (B, K).
    """

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, S, S) float to logits (B, K)."""
        logits: Tensor = self.head(self.features(images))
        return logits


@dataclass(frozen=True)
class Rebuilt:
    """A run's network, ready to use, in eval mode on the CPU.

    Attributes:
        name: The run's name, or the checkpoint's file name.
        record: The run's record; None for a checkpoint given by its path.
        settings: The config of the run.
        classes: Names of the K classes, in the order of the logits.
        backbone: The backbone with the run's weights.
        head: The head with the run's weights.
        network: Both as one module.
        preprocess: Decoded squares to normalised images.
        geometry: How an image becomes a square.
        checkpoint_bytes: Size of the checkpoint.
        soup_of: Names of the runs whose weights these are the mean of; empty for a run.
    """

    name: str
    record: RunRecord | None
    settings: Settings
    classes: tuple[str, ...]
    backbone: Backbone
    head: nn.Sequential
    network: Network
    preprocess: BatchTransform
    geometry: Geometry
    checkpoint_bytes: int
    soup_of: tuple[str, ...] = ()

    @property
    def value_range(self) -> tuple[float, float] | None:
        """What is black and white in images of more than 8 bits; None if it trained on none."""
        known = getattr(self.settings.data, "value_range", "auto")
        if known == "auto":
            known = json.loads(
                self.record.tags.get("frostline.value_range", "null") if self.record else "null"
            )
        return None if known is None else (float(known[0]), float(known[1]))


def rebuild_run(store_of: Callable[[], Reader], run: str) -> Rebuilt:
    """Find a run and rebuild its network.

    Args:
        store_of: Opens the tracking store; not called for a checkpoint given by its path.
        run: A run id or the beginning of one, a run's name, `best:SWEEP`, or a checkpoint's path.

    Raises:
        TrackingError: If there is no such run, or it lacks its config or its classes.
        CheckpointError: If its checkpoint is damaged, foreign, or does not fit its config.
        ConfigError: If its config is not one of this version.
    """
    if is_checkpoint_path(run):
        restored = restore_file(Path(run).expanduser())
        return rebuild(restored, _classes_beside(restored.checkpoint))
    store = store_of()
    with ScratchFolder("run") as into:
        restored = restore(store, run, into=into)
        assert restored.record is not None
        if not digest_path(restored.checkpoint).is_file():
            store.fetch_artifact(restored.record.run_id, f"{CHECKPOINT}.sha256", into)
        classes = store.fetch_artifact(restored.record.run_id, CLASSES, into)
        return rebuild(restored, _read_classes(classes))


def rebuild(restored: Restored, classes: tuple[str, ...]) -> Rebuilt:
    """Rebuild the network of a restored run.

    Args:
        restored: Config and checkpoint.
        classes: Names of its classes.
    """
    if restored.config is None:
        raise TrackingError(
            f"{restored.checkpoint}: there is no config.yaml beside it or one folder up",
            "a checkpoint with the config.yaml of its run",
            "give the run's id instead, or fetch config.yaml from the run's artifacts",
        )
    settings = recorded_settings(restored.config)
    use_code_of(settings)
    # A checkpoint that the user downloaded may come without its checksum.
    content = load_checkpoint(restored.checkpoint, check=digest_path(restored.checkpoint).is_file())
    backbone = build_backbone(
        settings.backbone,
        weights="random",
        image_size=settings.image_size,
        seed=settings.seed,
        in_chans=settings.in_chans,
    )
    # Nothing is trained, so the model is cut at depth 0: the suffix is the whole model.
    parts = cut(backbone, backbone.depth(0), pool=settings.head.pool)
    head = head_of(settings, parts.num_features, len(classes))
    state = content.get("state_dict")
    for prefix, module in (("backbone.model.", backbone.model), ("head.", head)):
        _load(module, state, prefix, restored.checkpoint)
    preprocess = BatchTransform(backbone.input, augment="none", seed=settings.seed)
    record = restored.record
    return Rebuilt(
        name=record.name if record else restored.checkpoint.name,
        record=record,
        settings=settings,
        classes=classes,
        backbone=backbone.eval(),
        head=head.eval(),
        network=Network(parts.suffix, head).eval().requires_grad_(False),
        preprocess=preprocess,
        geometry=evaluation_geometry(backbone.input),
        checkpoint_bytes=restored.checkpoint.stat().st_size,
        soup_of=tuple(map(str, content.get("soup_of", ()))),
    )


def use_code_of(settings: Settings) -> None:
    """Make the own code of a run be found, and check that it is still the same.

    Raises:
        PluginError: If an own backbone is not there.
        PluginChangedError: If its code has changed; of a head, that is found when it is built.
            An own augmentation, loss or optimiser is not used after training.
    """
    remember(settings.plugins.folders)
    planned, now = settings.plugins.backbone, backbone_code(settings.backbone)
    if planned is not None and now is None:
        looked = [str(each) for each in conf_folders()] or [str(Path.cwd() / "conf")]
        raise PluginError(
            f"backbone={settings.backbone} was the user's own, and is not found here: there is no "
            f"backbones/{settings.backbone}.yaml in {', '.join(looked)}",
            todo="stand where your conf/ is, or name that folder in the environment: "
            "FROSTLINE_PLUGINS=DIR; the run keeps the code among its artifacts (plugins/)",
        )
    if planned is not None and planned != now:
        raise PluginChangedError(
            f"backbone={settings.backbone}: its code was {planned} when the run was made, is {now}",
            todo="put back the code that the run keeps among its artifacts (plugins/)",
        )


def _load(module: nn.Module, state: Any, prefix: str, checkpoint: Path) -> None:
    """Load a module's part of a checkpoint.

    Raises:
        CheckpointError: If tensors are missing or have another shape.
    """
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(
            f"{checkpoint}: it contains no weights of a run",
            "a checkpoint that Frostline wrote",
        )
    loaded = {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
    own = module.state_dict()
    wrong = sorted(
        key for key in own.keys() | loaded.keys() if key not in own or key not in loaded
    ) + sorted(key for key in own.keys() & loaded.keys() if own[key].shape != loaded[key].shape)
    if wrong:
        shown = ", ".join(prefix + key for key in wrong[:4])
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise CheckpointError(
            f"{checkpoint}: its weights do not fit the config beside it: {shown}{more}",
            "the config.yaml and the classes of the run that wrote this checkpoint",
        )
    with torch.no_grad():
        module.load_state_dict(loaded)


def _classes_beside(checkpoint: Path) -> tuple[str, ...]:
    for folder in (checkpoint.parent, checkpoint.parent.parent):
        for name in (CLASSES, "classes.json"):
            if (folder / name).is_file():
                return _read_classes(folder / name)
    raise TrackingError(
        f"{checkpoint}: there is no {CLASSES} beside it or one folder up",
        "a checkpoint within the folder of its run's artifacts",
        "give the run's id instead, or fetch that file from the run's artifacts",
    )


def _read_classes(path: Path) -> tuple[str, ...]:
    try:
        classes = json.loads(path.read_text(encoding="utf-8"))["classes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrackingError(f"{path} cannot be read: {error}") from None
    return tuple(map(str, classes))

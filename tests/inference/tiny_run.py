"""A real run of seconds, trained in this process, for tests of what is done with runs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir
from PIL import Image

from frostline.config.conf_files import CONF

BASE = (
    "data=folder", "backbone=test_resnet", "weights=random", "image_size=64", "epochs=3",
    "batch_size=8", "lr=3e-3", "trainer.threads=1", "trainer.accelerator=cpu",
)  # fmt: skip
CLASSES = ("falling", "level", "rising")


def draw_ramps(
    root: Path, names: Sequence[str] = CLASSES, *, per_class: int = 16, seed: int = 0
) -> None:
    """Images whose brightness falls, stays level or rises to the right, with noise."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 150, 72)[None, :, None]
    kinds = {"falling": ramp[:, ::-1], "level": np.full_like(ramp, 75.0), "rising": ramp}
    for name, kind in zip(names, kinds.values(), strict=False):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            noisy = kind + rng.integers(0, 100, (72, 72, 3))
            Image.fromarray(noisy.astype(np.uint8)).save(root / name / f"{number:02}.png")


def train_tiny(folder: Path, *overrides: str) -> str:
    """Train one run with the store of the environment; return its id."""
    from frostline.config.identity import job_digest
    from frostline.config.read import settings_of
    from frostline.sweeps.execute import execute
    from frostline.sweeps.job import Job
    from frostline.sweeps.preflight import check_jobs

    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [*BASE, *overrides], return_hydra_config=False)
    settings = settings_of(config)
    (facts,) = check_jobs([settings], on_progress=lambda text: None)
    sweep = settings.sweep.model_copy(update={"job_digest": job_digest(settings, facts)})
    settings = settings.model_copy(update={"sweep": sweep})
    (folder / "out").mkdir(exist_ok=True)
    outcome = execute(Job(settings, folder / "out", env={}), on_progress=lambda **_: None)
    return outcome.run_id


def save_untrained(folder: Path, *overrides: str, classes: Sequence[str] = CLASSES) -> Path:
    """The checkpoint of a run that never trained, with its config and classes; the fast way."""
    import json

    import yaml

    from frostline.backbones.build import build_backbone
    from frostline.backbones.split.cut import cut
    from frostline.config.recipe import MlpHead
    from frostline.config.recorded_config import recorded_settings
    from frostline.training.checkpoint import save_checkpoint
    from frostline.training.head import build_head

    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [*BASE, "data.path=photos", *overrides])
    from omegaconf import OmegaConf

    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    settings = recorded_settings({str(key): value for key, value in values.items()})
    backbone = build_backbone(
        settings.backbone, weights="random", image_size=settings.image_size, seed=3
    )
    parts = cut(backbone, backbone.depth(0), pool=settings.head.pool)
    hidden = settings.head.hidden if isinstance(settings.head, MlpHead) else None
    head = build_head(
        parts.num_features, len(classes), hidden=hidden, dropout=settings.head.dropout,
        batch_norm=False, seed=3,
    )  # fmt: skip
    state = {f"backbone.model.{k}": v for k, v in backbone.model.state_dict().items()}
    state |= {f"head.{k}": v for k, v in head.state_dict().items()}
    checkpoint = folder / "checkpoints" / "best.ckpt"
    save_checkpoint({"state_dict": state, "epoch": 0}, checkpoint)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings.model_dump(mode="json")))
    (folder / "predictions").mkdir(exist_ok=True)
    (folder / "predictions" / "classes.json").write_text(json.dumps({"classes": list(classes)}))
    return checkpoint

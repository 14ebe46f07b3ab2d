"""What the recorded cases give now: figures of runs, summaries of stored features, digests."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from frostline.config.conf_files import CONF
from frostline.config.identity import config_digest, job_digest
from frostline.config.read import settings_of
from frostline.config.recorded_identity import RecordedFacts
from frostline.config.schema import Settings
from frostline.config.versions import (
    FEATURES_VERSION,
    MEASURES_VERSION,
    RESULTS_VERSION,
    installed_libraries,
)
from frostline.data.sample_table import SampleTable
from frostline.tracking.records import RunRecord
from frostline.tracking.store import Store, open_store
from tests.golden.cases import COMMON, MEASURED, PREFIXES, RUNS
from tests.integration.conftest import environment

RECORDED = Path(__file__).with_name("recorded.json")
CURVES = ("train/loss", "val/loss")
FIGURES = ("val_best/loss", "test/loss", "test/acc_micro")


# The same everywhere, so that a digest of them can be recorded.
FIXED_FACTS = RecordedFacts("data", "splits", "", "cpu 32-true", "torch 2.14")


def everything(folder: Path) -> dict[str, Any]:
    """All that is recorded, as JSON holds it."""
    return {
        "libraries": installed_libraries(),
        "results_version": RESULTS_VERSION,
        "features_version": FEATURES_VERSION,
        "measures_version": MEASURES_VERSION,
        "runs": runs(folder),
        "features": features(folder),
        "measures": measures(),
        "digests": digests(),
    }


def settings_by_name() -> dict[str, Settings]:
    """The settings of each run."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return {
            name: settings_of(compose("train", overrides=[*COMMON, *own]))
            for name, own in RUNS.items()
        }


def digests() -> dict[str, dict[str, str]]:
    """What each run is recognised by, as far as its settings decide it."""
    return {
        name: {"config": config_digest(settings), "job": job_digest(settings, FIXED_FACTS)}
        for name, settings in settings_by_name().items()
    }


def runs(folder: Path) -> dict[str, dict[str, Any]]:
    """Carry out all runs in one sweep of the real command.

    Args:
        folder: Where to; it may hold an empty store.
    """
    cells = ", ".join(
        f"{name}: [{', '.join(map(repr, (*COMMON, *own)))}]" for name, own in RUNS.items()
    )
    command = [sys.executable, "-m", "src.train", "-m", f"hydra.sweeper.cells={{{cells}}}"]
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment(folder) | {"FROSTLINE_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    store = open_store(None, "leaves", folder=folder)
    by_config = {
        run.tags["frostline.config_digest"]: run
        for run in store.find_runs({"frostline.kind": "job"})
    }
    return {
        name: _figures(store, by_config[config_digest(settings)])
        for name, settings in settings_by_name().items()
    }


def _figures(store: Store, run: RunRecord) -> dict[str, Any]:
    curves = {
        name: [point.value for point in store.metric_history(run.run_id, name)] for name in CURVES
    }
    return curves | {name: run.metrics[name] for name in FIGURES}


def features(folder: Path) -> dict[str, dict[str, float]]:
    """Summarise the outputs of frozen prefixes, as they are stored: all views of a few images.

    Args:
        folder: For the cache of decoded images.
    """
    import numpy as np
    import pytest
    import torch

    from frostline.backbones.build import build_backbone
    from frostline.backbones.split.cut import cut
    from frostline.data.image_datamodule import ImageDataModule, RowImages
    from frostline.data.order import BatchRows
    from frostline.data.splits import split_table
    from frostline.features.compute import compute_outputs, views_of_images

    def summary(name: str, depth: int) -> dict[str, float]:
        backbone = build_backbone(name, weights="random", image_size=64, seed=0)
        parts = cut(backbone, backbone.depth(depth), pool="avg")
        data = ImageDataModule(
            table,
            splits,
            backbone.input,
            augment="dihedral",
            batch_size=8,
            seed=0,
            workers=0,
            memory_gib=1.0,
        )
        images = RowImages(data.pixels(data.evaluation), table.labels)
        inputs = views_of_images(data.preprocess, images, "cpu")
        batch = BatchRows(np.arange(8), np.arange(8))
        (outputs,) = compute_outputs(
            parts.prefix.eval(), inputs, [batch], accelerator="cpu", precision="32-true"
        )
        flat = outputs.double().flatten(1)
        # Weighted by place, so that a swap of images, views or channels shows.
        places = torch.linspace(-1.0, 1.0, flat.numel(), dtype=torch.float64).view_as(flat)
        return {
            "size": float(flat.numel()),
            "std": flat.std().item(),
            "mean_in_stds": flat.mean().item() / flat.std().item(),
            "by_place_in_stds": (flat * places).mean().item() / flat.std().item(),
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FROSTLINE_CACHE", str(folder / "cache"))
        patch.setenv("FROSTLINE_HOME", str(folder / "home"))
        table = _leaves(n_images=60)
        splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=0)
        return {f"{name} {depth}": summary(name, depth) for name, depth in PREFIXES}


def measures() -> dict[str, dict[str, float]]:
    """Measure drawn leaves with each backbone: what `strategy=auto` and advice are based on."""
    import numpy as np

    from frostline.advice.measures.measurement import measure

    table = _leaves(n_images=120)
    scores = {}
    for name in MEASURED:
        measured = measure(
            table,
            np.arange(len(table)),
            backbone=name,
            weights="random",
            image_size=64,
            seed=0,
        )
        for stage in measured.stages:
            scores[f"{name} {stage.stage}"] = {
                "probe_acc": stage.probe,
                "knn_acc": stage.knn,
                "logme": stage.logme,
            }
    return scores


def _leaves(n_images: int) -> SampleTable:
    from frostline.data.sources.leaves import load_leaves

    return load_leaves(
        n_images=n_images, size_px=80, n_species=1, photos_per_leaf=1, variant="color",
        background="lab", imbalance=1.0, shortcut=0.0, leak=0.0, draw_seed=0,
    )  # fmt: skip

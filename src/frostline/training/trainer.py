"""Lightning's Trainer: quiet, with our own files, and fed from our own batches."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from frostline.data.image_datamodule import ImageDataModule
from frostline.features.feature_datamodule import FeatureDataModule
from frostline.training.checkpoint_io import AtomicCheckpointIO
from frostline.training.engine import Engine, choose_kernels
from frostline.training.step_overhead import NoProfiler, hide_accelerators, search_packages_once


class TrainerBatches(pl.LightningDataModule):
    """The batches that a Trainer fits: those of images or of stored outputs, as they are.

    Args:
        batches: Which.
    """

    def __init__(self, batches: ImageDataModule | FeatureDataModule) -> None:
        super().__init__()
        self.batches = batches

    def train_dataloader(self) -> Any:
        """Return the batches of training."""
        return self.batches.train_dataloader()

    def val_dataloader(self) -> Any:
        """Return the batches of validation."""
        return self.batches.val_dataloader()


def build_trainer(
    engine: Engine,
    *,
    epochs: int,
    accumulate: int,
    callbacks: Sequence[pl.Callback],
    folder: str,
    limit_batches: int | None = None,
) -> pl.Trainer:
    """A quiet Trainer: progress, metrics and checkpoints go through our own callbacks."""
    quieten()
    search_packages_once()
    choose_kernels(strict=engine.strict)
    if engine.accelerator == "cpu":
        hide_accelerators()
    return pl.Trainer(
        accelerator="gpu" if engine.accelerator == "cuda" else engine.accelerator,
        devices=engine.devices,
        strategy="ddp" if engine.strategy == "ddp" else "auto",
        # Our samplers give each process its part of every batch.
        use_distributed_sampler=False,
        # Lightning's conversion would drop the activations that timm has in its BatchNorm, and wake
        # frozen ones: `frostline.backbones.synced_norms` has converted what trains.
        sync_batchnorm=False,
        precision=engine.precision,  # type: ignore[arg-type]
        max_epochs=epochs,
        accumulate_grad_batches=accumulate,
        limit_train_batches=limit_batches,
        limit_val_batches=limit_batches,
        limit_test_batches=limit_batches,
        callbacks=list(callbacks),
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        deterministic=True if engine.strict else "warn",  # as in choose_kernels
        # What a batch system, torchrun or MPI left in the environment never says how we run: our
        # own processes are the only ones (`sweep.distributed_run`). Under Slurm's environment
        # Lightning would expect srun's tasks, and answer USR1 by requeueing instead of stopping.
        plugins=[AtomicCheckpointIO(), LightningEnvironment()],
        profiler=NoProfiler(),
    )


def quieten() -> None:
    """Silence Lightning's warnings about what we do on purpose."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    for message in (
        # Frozen modules are in eval mode by design. https://github.com/Lightning-AI/pytorch-lightning/issues/21146
        ".*module.* in eval mode.*",
        # Images are decoded once and cached; worker processes would copy them for nothing.
        ".*does not have many workers.*",
        # Batches are read by our own sampler of index lists.
        ".*Trying to infer the `batch_size`.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        # Our batches hold four tensors, which are moved without a search.
        ".*have overridden `transfer_batch_to_device`.*",
        # Nothing is logged by the step.
        ".*is smaller than the logging interval.*",
        # Lightning 2.6 against torch 2.14; nothing that a user could change.
        ".*treespec, LeafSpec.*",
        # Every process evaluates the whole split, so there is nothing to average.
        ".*sync_dist=True.*",
    ):
        warnings.filterwarnings("ignore", message=message)

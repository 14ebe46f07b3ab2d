"""Heads that train as one computation end up as each would have ended up alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from frostline.backbones.compute_mode import ComputeMode
from frostline.config.recipe import (
    Adam,
    AdamW,
    ConstantLr,
    CosineLr,
    CrossEntropy,
    FocalLoss,
    Sgd,
    StepLr,
)
from frostline.data.mixing import BatchMix
from frostline.data.order import EpochSampler
from frostline.features.feature_datamodule import RowOutputs, StoredInputs
from frostline.features.stored_file import OutputForm, Segment
from frostline.features.stored_outputs import StoredOutputs
from frostline.training.callbacks import EpochSeed
from frostline.training.engine import Engine
from frostline.training.group_key import follows_single_jobs
from frostline.training.head import build_head
from frostline.training.head_training import Choice, HeadJob, HeadResult, train_heads
from frostline.training.loss import build_loss
from frostline.training.metrics import classification_metrics, stacked_metrics
from frostline.training.task import ClassificationTask
from frostline.training.trainer import build_trainer
from tests import optimizers

N, WIDTH, CLASSES, EPOCHS, SEED = 130, 12, 4, 4, 5
PLAIN = CrossEntropy(name="cross_entropy", label_smoothing=0.0, class_weights=0.0)


def row_outputs(dtype: torch.dtype = torch.float32) -> RowOutputs:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, CLASSES, (N,), generator=generator)
    centres = torch.randn(CLASSES, WIDTH, generator=generator)
    pairs = np.array([(row, view) for row in range(N) for view in range(2)])
    noise = torch.randn(2 * N, WIDTH, generator=generator)
    features = (centres[labels].repeat_interleave(2, dim=0) + noise).to(dtype)
    form = OutputForm.of(features)
    segment = Segment(Path("none"), pairs, form, form.to_stored(features))
    return RowOutputs(StoredOutputs([segment]), labels.numpy())


def samplers() -> tuple[EpochSampler, EpochSampler]:
    training = EpochSampler(np.arange(90), batch_size=16, seed=SEED, n_views=2, training=True)
    validation = EpochSampler(np.arange(90, N), batch_size=16, seed=SEED, n_views=1, training=False)
    return training, validation


class Alone(pl.Callback):
    def __init__(self) -> None:
        self.history: list[dict[str, float]] = []
        self.states: list[dict[str, Tensor]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.history.append({k: float(v) for k, v in trainer.callback_metrics.items()})
        head: nn.Module = pl_module.head  # type: ignore[assignment]
        self.states.append({k: v.clone() for k, v in head.state_dict().items()})


def train_alone(
    job: HeadJob,
    folder: Path,
    loss: CrossEntropy | FocalLoss = PLAIN,
    weights: Tensor | None = None,
    precision: str = "32-true",
) -> Alone:
    rows = row_outputs(torch.bfloat16 if precision == "bf16-mixed" else torch.float32)
    training, validation = (
        DataLoader(rows, batch_size=None, sampler=sampler, generator=torch.Generator())
        for sampler in samplers()
    )
    task = ClassificationTask(
        backbone=nn.Identity(), prefix=nn.Identity(), suffix=nn.Identity(), head=job.head,
        preprocess=StoredInputs(ComputeMode(precision), ComputeMode(precision)),
        mix=BatchMix("none", alpha=1.0, n_classes=CLASSES, seed=SEED),
        loss=build_loss(loss, weights), optimizer=job.optimizer, lr_schedule=job.lr_schedule,
        lr=job.lr,
    )  # fmt: skip
    seen = Alone()
    trainer = build_trainer(
        Engine("cpu", precision, 1, "single"), epochs=EPOCHS, accumulate=1,
        callbacks=[EpochSeed(SEED), seen], folder=str(folder),
    )  # fmt: skip
    trainer.fit(task, training, validation)
    return seen


def head(**changes: Any) -> nn.Sequential:
    values = {"hidden": None, "dropout": 0.0, "batch_norm": False} | changes
    return build_head(WIDTH, CLASSES, seed=SEED, **values)


def train_together(
    jobs: list[HeadJob],
    loss: CrossEntropy | FocalLoss = PLAIN,
    weights: Tensor | None = None,
    precision: str = "32-true",
    **choice: Any,
) -> list[HeadResult]:
    training, validation = samplers()
    rows = row_outputs(torch.bfloat16 if precision == "bf16-mixed" else torch.float32)
    values = {"monitor": "val/f1_macro", "mode": "max", "patience_epochs": None} | choice
    return train_heads(
        jobs, rows.__getitem__, training, validation, seed=SEED, epochs=EPOCHS,
        loss=loss, class_weights=weights, choice=Choice(**values), on_progress=lambda **_: None,
        precision=precision,
    )  # fmt: skip


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"dropout": 0.5},
        {"hidden": 10},
        {"hidden": 10, "dropout": 0.5, "batch_norm": True},
    ],
    ids=["linear", "linear dropout", "mlp", "mlp all"],
)
@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.adamw(weight_decay=0.1),
        optimizers.adam(weight_decay=0.1),
        optimizers.sgd(
            weight_decay=0.01,
            momentum=0.9,
        ),
    ],
    ids=["adamw", "adam", "sgd"],
)
def test_each_head_is_as_if_alone(
    shape: dict[str, Any], optimizer: AdamW | Adam | Sgd, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    if shape.get("batch_norm") and not isinstance(optimizer, Sgd):
        assert not follows_single_jobs(batch_norm=True, adaptive=True)
        return
    schedules = [
        CosineLr(name="cosine", warmup_frac=0.1),
        ConstantLr(name="constant", warmup_frac=0.0),
        StepLr(name="step", every_epochs=2, gamma=0.1, warmup_frac=0.0),
    ]
    jobs = [
        HeadJob(head(**shape), lr, optimizer, schedule)
        for lr, schedule in zip([1e-3, 1e-2, 3e-2], schedules, strict=True)
    ]
    together = train_together(jobs)
    for job, result in zip(jobs, together, strict=True):
        alone = train_alone(job, tmp_path)
        assert len(result.history) == EPOCHS
        for ours, theirs in zip(result.history, alone.history, strict=True):
            assert ours == pytest.approx(theirs, rel=2e-5, abs=1e-6)
        scores = [each["val/f1_macro"] for each in alone.history]
        assert result.best_epoch == scores.index(max(scores))
        chosen = alone.states[result.best_epoch]
        assert result.best_state.keys() == chosen.keys()
        for name, value in chosen.items():
            assert torch.allclose(result.best_state[name], value, rtol=1e-4, atol=2e-5), name


@pytest.mark.parametrize(
    "optimizers",
    [
        [
            optimizers.adamw(
                weight_decay=decay,
            )
            for decay in (0.0, 0.5)
        ],
        [
            optimizers.sgd(
                weight_decay=decay,
                momentum=momentum,
            )
            for decay, momentum in ((0.1, 0.0), (0.0, 0.9))
        ],
    ],
    ids=["weight decay", "momentum"],
)
def test_each_head_has_its_own_optimizer_settings(
    optimizers: list[AdamW | Sgd], tmp_path: Path
) -> None:
    constant = ConstantLr(name="constant", warmup_frac=0.0)
    jobs = [HeadJob(head(hidden=10), 1e-2, optimizer, constant) for optimizer in optimizers]
    for job, result in zip(jobs, train_together(jobs), strict=True):
        alone = train_alone(job, tmp_path)
        chosen = alone.states[result.best_epoch]
        for name, value in chosen.items():
            assert torch.allclose(result.best_state[name], value, rtol=1e-4, atol=2e-5), name


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropy(name="cross_entropy", label_smoothing=0.1, class_weights=1.0),
        FocalLoss(name="focal", gamma=2.0, label_smoothing=0.0, class_weights=1.0),
    ],
    ids=["smoothed", "focal"],
)
def test_other_losses(loss: CrossEntropy | FocalLoss, tmp_path: Path) -> None:
    weights = torch.tensor([0.5, 1.0, 1.5, 3.0])
    adamw = optimizers.adamw(weight_decay=0.1)
    jobs = [
        HeadJob(head(), lr, adamw, ConstantLr(name="constant", warmup_frac=0.0))
        for lr in (1e-3, 1e-2)
    ]
    together = train_together(jobs, loss, weights)
    for job, result in zip(jobs, together, strict=True):
        alone = train_alone(job, tmp_path, loss, weights)
        for ours, theirs in zip(result.history, alone.history, strict=True):
            assert ours == pytest.approx(theirs, rel=2e-5, abs=1e-6)


def test_a_head_that_diverges_leaves_the_others_alone() -> None:
    sgd = optimizers.sgd(
        weight_decay=0.0,
        momentum=0.9,
    )
    constant = ConstantLr(name="constant", warmup_frac=0.0)
    good, bad = HeadJob(head(), 0.01, sgd, constant), HeadJob(head(), 1e38, sgd, constant)
    alone = train_together([good])[0]
    both = train_together([good, bad])
    assert both[1].diverged
    assert not both[0].diverged
    for ours, theirs in zip(both[0].history, alone.history, strict=True):
        assert ours == pytest.approx(theirs)


def test_patience_stops_a_head_where_it_would_stop_alone() -> None:
    sgd = optimizers.sgd(
        weight_decay=0.0,
        momentum=0.0,
    )
    still = HeadJob(head(), 1e-12, sgd, ConstantLr(name="constant", warmup_frac=0.0))
    moving = HeadJob(head(), 0.05, sgd, ConstantLr(name="constant", warmup_frac=0.0))
    results = train_together([still, moving], monitor="val/loss", mode="min", patience_epochs=2)
    assert len(results[0].history) == 3, "one best epoch, then two that are no better"
    assert results[0].best_epoch == 0
    assert len(results[1].history) == EPOCHS


def test_heads_of_other_structure_are_refused() -> None:
    constant, sgd = (
        ConstantLr(name="constant", warmup_frac=0.0),
        optimizers.sgd(
            weight_decay=0.0,
            momentum=0.0,
        ),
    )
    jobs = [HeadJob(head(), 0.1, sgd, constant), HeadJob(head(hidden=3), 0.1, sgd, constant)]
    with pytest.raises(ValueError, match="different structure"):
        train_together(jobs)


def test_metrics_are_those_of_each_head() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(5, 40, 6, generator=generator)
    labels = torch.randint(0, 4, (40,), generator=generator)  # classes 4 and 5 have no item
    logits[0, :, 4:] = -9.0  # nor are they ever predicted by the first head
    together = stacked_metrics(logits, labels)
    for job in range(5):
        alone = classification_metrics(logits[job], labels)
        assert {name: float(values[job]) for name, values in together.items()} == pytest.approx(
            alone, rel=1e-6
        )


@pytest.mark.parametrize("shape", [{}, {"hidden": 10, "dropout": 0.5}], ids=["linear", "mlp"])
def test_in_bfloat16_each_head_is_nearly_as_if_alone(shape: dict[str, Any], tmp_path: Path) -> None:
    """As on a card; here on the CPU, where a plan forms such groups in float32 alone."""
    torch.set_num_threads(1)
    adamw = optimizers.adamw(weight_decay=0.1)
    constant = ConstantLr(name="constant", warmup_frac=0.0)
    jobs = [HeadJob(head(**shape), lr, adamw, constant) for lr in (1e-3, 1e-2)]
    together = train_together(jobs, precision="bf16-mixed")
    for job, result in zip(jobs, together, strict=True):
        alone = train_alone(job, tmp_path, precision="bf16-mixed")
        for ours, theirs in zip(result.history, alone.history, strict=True):
            for name in ("train/loss", "val/loss"):
                assert ours[name] == pytest.approx(theirs[name], rel=1e-2)
        assert all(value.dtype == torch.float32 for value in result.best_state.values())

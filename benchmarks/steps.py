"""What a training step costs over a raw loop: Lightning with our task, on stored features.

Measured in CPU time of one thread, which other processes disturb least.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

from frostline.backbones.compute_mode import ComputeMode
from frostline.config.recipe import AdamW, ConstantLr, CrossEntropy
from frostline.data.mixing import BatchMix
from frostline.data.order import EpochSampler
from frostline.features.feature_datamodule import RowOutputs, StoredInputs, unchanged
from frostline.features.stored_file import OutputForm, Segment
from frostline.features.stored_outputs import StoredOutputs
from frostline.training.callbacks import EpochSeed, ProgressEvents
from frostline.training.engine import Engine
from frostline.training.head import build_head
from frostline.training.loss import build_loss
from frostline.training.optim import build_optimizer
from frostline.training.task import ClassificationTask
from frostline.training.trainer import build_trainer

N, WIDTH, CLASSES, BATCH, EPOCHS = 8000, 64, 5, 32, 2
ADAMW = AdamW(name="adamw", weight_decay=0.01, layer_decay=1.0, head_lr_factor=1.0, lr_center=1e-3)


def step_overhead(folder: Path) -> dict[str, float]:
    """Milliseconds a step: a raw loop over tensors, ours, and the difference."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(N, WIDTH, generator=generator)
    labels = torch.randint(0, CLASSES, (N,), generator=generator)
    raw, ours = [], []
    for _ in range(3):
        raw.append(_raw(features, labels))
        ours.append(_ours(features, labels, folder))
    steps = EPOCHS * (N // BATCH)
    raw_ms, ours_ms = 1e3 * min(raw) / steps, 1e3 * min(ours) / steps
    return {"raw_ms": raw_ms, "ours_ms": ours_ms, "over_ms": ours_ms - raw_ms}


def _raw(features: torch.Tensor, labels: torch.Tensor) -> float:
    head = _head()
    optimizer = build_optimizer(ADAMW, head.parameters(), 1e-3)
    begun = time.process_time()
    for epoch in range(EPOCHS):
        order = torch.randperm(N, generator=torch.Generator().manual_seed(epoch))
        for start in range(0, N, BATCH):
            rows = order[start : start + BATCH]
            loss = F.cross_entropy(head(features[rows]), labels[rows])
            torch.autograd.backward(loss)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return time.process_time() - begun


def _ours(features: torch.Tensor, labels: torch.Tensor, folder: Path) -> float:
    form = OutputForm.of(features)
    pairs = np.stack([np.arange(N), np.zeros(N, dtype=np.int64)], axis=1)
    segment = Segment(folder, pairs, form, form.to_stored(features))
    read = RowOutputs(StoredOutputs([segment]), labels.numpy())

    def loader(rows: Any, *, training: bool) -> Any:
        sampler = EpochSampler(rows, batch_size=BATCH, seed=0, n_views=1, training=training)
        return DataLoader(
            read,
            batch_size=None,
            sampler=sampler,
            generator=torch.Generator(),
            collate_fn=unchanged,
        )

    task = ClassificationTask(
        backbone=nn.Identity(), prefix=nn.Identity(), suffix=nn.Identity(), head=_head(),
        preprocess=StoredInputs(ComputeMode("32-true"), ComputeMode("32-true")),
        mix=BatchMix("none", alpha=1.0, n_classes=CLASSES, seed=0),
        loss=build_loss(
            CrossEntropy(name="cross_entropy", label_smoothing=0.0, class_weights=0.0), None
        ),
        optimizer=ADAMW, lr_schedule=ConstantLr(name="constant", warmup_frac=0.0), lr=1e-3,
    )  # fmt: skip
    watchers = [EpochSeed(0), ProgressEvents(lambda **_: None)]
    trainer = build_trainer(
        Engine("cpu", "32-true", 1, "single"),
        epochs=EPOCHS,
        accumulate=1,
        callbacks=watchers,
        folder=str(folder),
    )
    begun = time.process_time()
    trainer.fit(task, loader(np.arange(N), training=True))
    return time.process_time() - begun


def _head() -> nn.Sequential:
    return build_head(WIDTH, CLASSES, hidden=None, dropout=0.0, batch_norm=False, seed=0)

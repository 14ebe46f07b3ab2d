"""Training many heads on the same frozen features as one computation, each as if it were alone.

Heads that share a seed see the same batches, so their first layers are one matrix product. What a
single job would report of itself (metrics of each epoch, its best epoch, its end) is reported here
for each of them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frostline.config.recipe import CrossEntropy, FocalLoss, LrChoice, OptimizerChoice
from frostline.data.image_datamodule import Batch
from frostline.data.order import BatchRows, EpochSampler
from frostline.data.seeds import seed_epoch
from frostline.features.compute import precision_context
from frostline.training.learning_rates import lr_factor
from frostline.training.loss import focal_factor
from frostline.training.metrics import stacked_metrics
from frostline.training.stacked_heads import StackedHeads, StackedOptimizer


@dataclass(frozen=True)
class HeadJob:
    """What may differ between heads that train together.

    Attributes:
        head: As `build_head` made it; not changed.
        lr: Peak learning rate.
        optimizer: Which optimiser.
        lr_schedule: Learning rate over the steps; not `plateau`, whose drops depend on a head's own
            scores.
    """

    head: nn.Sequential
    lr: float
    optimizer: OptimizerChoice
    lr_schedule: LrChoice


@dataclass(frozen=True)
class Choice:
    """How the best epoch is chosen, and when a head stops.

    Attributes:
        monitor: A validation metric, such as `val/f1_macro`.
        mode: `max` or `min`.
        patience_epochs: Epochs without a better one until a head stops; None for never.
    """

    monitor: str
    mode: str
    patience_epochs: int | None

    def is_better(self, value: float, than: float) -> bool:
        """Whether a score beats another; ties do not, as in Lightning."""
        return value > than if self.mode == "max" else value < than

    @property
    def worst(self) -> float:
        """The score that any other beats."""
        return -math.inf if self.mode == "max" else math.inf


@dataclass
class HeadResult:
    """The result of training one head.

    Attributes:
        history: Metrics of each epoch: `train/loss`, `val/...`.
        best_epoch: 0-based.
        best_state: The head's state dict at the end of that epoch.
        diverged: Whether its loss became NaN or infinite, which ended it.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1
    best_state: dict[str, Tensor] = field(default_factory=dict)
    diverged: bool = False


class _BestEpoch:
    """Best epoch and early stopping of one head."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._best = choice.worst
        self._waited = 0
        self.running = True

    def add_epoch(self, scores: dict[str, float]) -> bool:
        """Add an epoch's scores; return whether it is the best so far."""
        score = scores[self._choice.monitor]
        if self._choice.is_better(score, self._best):
            self._best, self._waited = score, 0
            return True
        self._waited += 1
        patience = self._choice.patience_epochs
        if patience is not None and (self._waited >= patience or not math.isfinite(score)):
            self.running = False
        return False


def train_heads(
    jobs: Sequence[HeadJob],
    read: Callable[[BatchRows], Batch],
    training: EpochSampler,
    validation: EpochSampler,
    *,
    seed: int,
    epochs: int,
    loss: CrossEntropy | FocalLoss,
    class_weights: Tensor | None,
    choice: Choice,
    on_progress: Callable[..., None],
    accelerator: str = "cpu",
    precision: str = "32-true",
) -> list[HeadResult]:
    """Train heads that share features, seed, batches and number of epochs.

    In float32 each head follows the single job within rounding. Within an epoch no value is asked
    for, so that a card never waits for this process.

    Args:
        jobs: The heads; all of one structure and one kind of optimiser.
        read: A batch's rows and views to features (B, F) and labels (B), such as `RowOutputs`.
        training: The seed's batches; its epoch is set here.
        validation: The validation batches.
        seed: The run's seed, for dropout.
        epochs: At most.
        loss: What is minimised.
        class_weights: (K) float; None for equal ones.
        choice: Of the best epoch.
        on_progress: Receives `done=` (0 to 1).
        accelerator: Where they train.
        precision: As the jobs' own, in Lightning's words.

    Raises:
        ValueError: If the heads cannot be stacked.
    """
    heads = StackedHeads([job.head for job in jobs], accelerator)
    weights = None if class_weights is None else class_weights.to(accelerator)
    optimizer = StackedOptimizer(heads, [job.optimizer for job in jobs])
    n_steps = len(training)
    factors = [
        lr_factor(job.lr_schedule, total_steps=n_steps * epochs, steps_per_epoch=max(1, n_steps))
        for job in jobs
    ]
    results = [HeadResult() for _ in jobs]
    trackers = [_BestEpoch(choice) for _ in jobs]
    held_out = [on_device(read(batch), accelerator) for batch in validation]
    labels = torch.cat([batch.labels for batch in held_out]).cpu()

    def logits_of(inputs: Tensor, *, training: bool) -> Tensor:
        with precision_context(accelerator, precision):
            return heads.logits(inputs, training=training).float()

    step = 0
    for epoch in range(epochs):
        training.set_epoch(epoch)
        seed_epoch(seed, epoch)
        total, count = torch.zeros(len(jobs), device=accelerator), 0
        for indices in training:
            batch = on_device(read(indices), accelerator)
            rates = [job.lr * at(step) for job, at in zip(jobs, factors, strict=True)]
            logits = logits_of(batch.inputs, training=True)
            total += training_step(logits, batch.labels, loss, weights, optimizer, rates)
            count += len(batch.labels)
            step += 1
        with torch.inference_mode():
            logits = torch.cat(
                [logits_of(batch.inputs, training=False) for batch in held_out], dim=1
            )
            figures = stacked_metrics(logits.cpu(), labels)
        means = (total / count).tolist()
        for job, (result, tracker) in enumerate(zip(results, trackers, strict=True)):
            if not tracker.running:
                continue
            mean = means[job]
            if not math.isfinite(mean):
                result.diverged, tracker.running = True, False
                continue
            scores = {f"val/{name}": float(values[job]) for name, values in figures.items()}
            if not math.isfinite(scores["val/loss"]):
                result.diverged, tracker.running = True, False
                continue
            result.history.append({"train/loss": mean} | scores)
            if tracker.add_epoch(scores):
                result.best_epoch, result.best_state = epoch, heads.head_state(job)
        on_progress(done=(epoch + 1) / epochs)
        if not any(tracker.running for tracker in trackers):
            break
    return results


def training_step(
    logits: Tensor,
    labels: Tensor,
    loss: CrossEntropy | FocalLoss,
    weights: Tensor | None,
    optimizer: StackedOptimizer,
    rates: Sequence[float],
) -> Tensor:
    """One step of all heads, whose values nobody has to wait for.

    Args:
        logits: (J, B, K) float32.
        labels: (B,).
        loss: What is minimised.
        weights: (K) of the classes; None for equal ones.
        optimizer: Over the heads.
        rates: (J) learning rates.

    Returns:
        (J,) the loss of each head, summed over the batch.
    """
    losses = _losses(logits, labels, loss, weights)
    torch.autograd.backward(losses.sum())
    optimizer.step(rates)
    return losses.detach() * len(labels)


def on_device(batch: Batch, accelerator: str) -> Batch:
    """A batch where it is computed on."""
    if accelerator == "cpu":
        return batch
    at_once = accelerator == "cuda"  # MPS would read what is freed by then: see `step_overhead`
    return Batch(*(each.to(accelerator, non_blocking=at_once) for each in batch))


def _losses(
    logits: Tensor, labels: Tensor, spec: CrossEntropy | FocalLoss, weights: Tensor | None
) -> Tensor:
    """The mean loss of each head, as `build_loss` makes it: logits (J, B, K), labels (B) to (J)."""
    count, batch, classes = logits.shape
    flat, repeated = logits.reshape(-1, classes), labels.expand(count, batch).reshape(-1)
    each = F.cross_entropy(
        flat, repeated, weight=weights, label_smoothing=spec.label_smoothing, reduction="none"
    )
    if isinstance(spec, FocalLoss) and spec.gamma != 0.0:
        return (focal_factor(flat, repeated, spec.gamma) * each).view(count, batch).mean(dim=1)
    # PyTorch's weighted mean divides by the weights of the labels that occur.
    total = batch if weights is None else weights[labels].sum()
    return each.view(count, batch).sum(dim=1) / total

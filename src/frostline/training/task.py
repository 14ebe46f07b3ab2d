"""The LightningModule: a frozen prefix, a trainable suffix, a new head."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from frostline.config.recipe import LrChoice, OptimizerChoice, PlateauLr
from frostline.data.image_datamodule import Batch
from frostline.errors import FrostlineError
from frostline.training.distributed import summed, weighted
from frostline.training.learning_rates import (
    Course,
    Rates,
    lr_factor,
    phase_factor,
    plateau_drops,
    plateau_factor,
)
from frostline.training.loss import Divisor, Loss
from frostline.training.metrics import classification_metrics
from frostline.training.optim import optimizer_over
from frostline.training.schedule import Phase
from frostline.training.step_overhead import LowOverheadModule


class TrainingDivergedError(FrostlineError):
    """The loss became NaN or infinite."""


def against_divergence(precision: str) -> str:
    """What to do about a loss that is not finite any more, in a precision such as `16-mixed`."""
    full = "" if precision.startswith("32") else ", or use trainer.precision=32-true"
    return f"lower lr{full}"


class ClassificationTask(LowOverheadModule):
    """Trains `head(suffix(prefix(preprocess(images))))` with cross-entropy.

    The backbone is registered once, under `backbone`, so that a checkpoint holds timm's own names;
    prefix and suffix are views of it that share its modules and are therefore left out of the
    module tree.

    Args:
        backbone: The module that owns all parameters of prefix and suffix, frozen to the depth of
            the run's last phase: what requires gradients now is what trains in any phase.
        prefix: Normalised images (B, 3, S, S) to the frozen stages' output, without autograd.
        suffix: The frozen stages' output to features (B, F).
        head: Features (B, F) to logits (B, K).
        preprocess: Called as `preprocess(inputs, views, training=..., epoch=..., batch_idx=...)`.
        mix: Called in training as `mix(images, labels, epoch=..., batch_idx=...)`: images and
            targets, which are the labels again or shares of the classes.
        loss: Logits (B, K) and targets to the mean loss.
        optimizer: Which optimiser.
        lr_schedule: Learning rate over the steps.
        lr: Peak learning rate.
        course: What else its rates follow; None for one phase and one rate for all stages.
        stored: Called in the place of `preprocess` and `prefix` where a batch has stored outputs,
            which are no uint8 images; None if no batch has.
        divisor: By what the mean loss of a batch divides; None for its images.
    """

    def __init__(
        self,
        *,
        backbone: nn.Module,
        prefix: nn.Module,
        suffix: nn.Module,
        head: nn.Module,
        preprocess: nn.Module,
        mix: Callable[..., tuple[Tensor, Tensor]],
        loss: Loss,
        optimizer: OptimizerChoice,
        lr_schedule: LrChoice,
        lr: float,
        course: Course | None = None,
        stored: nn.Module | None = None,
        divisor: Divisor | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self._cut = (prefix, suffix)
        self.preprocess = preprocess
        self._stored = stored
        self._mix = mix
        self._loss = loss
        self._divisor = divisor
        self._optimizer_spec = optimizer
        self._lr_schedule_spec = lr_schedule
        self._peak_lr = lr
        self._course = course
        self._trained = [(name, p) for name, p in self.named_parameters() if p.requires_grad]
        self._loss_sum = torch.zeros(())
        self._loss_count = 0
        self._seen: list[tuple[Tensor, Tensor, Tensor]] = []

    @property
    def trainable_params(self) -> int:
        """Values in all parameters that train in any phase."""
        return sum(parameter.numel() for _, parameter in self._trained)

    def enter(
        self,
        *,
        prefix: nn.Module,
        suffix: nn.Module,
        preprocess: nn.Module,
        stored: nn.Module | None = None,
    ) -> None:
        """Begin a phase, whose depth the backbone has been frozen to already.

        Modules that have just thawed were held in eval mode, also by the validations in between,
        so everything is put into train mode; what is frozen stays in eval mode all the same.

        Args:
            prefix: As for the task itself, cut at the phase's depth.
            suffix: The same.
            preprocess: For the inputs of this phase.
            stored: The same.
        """
        self._cut = (prefix, suffix)
        self.preprocess = preprocess
        self._stored = stored
        self.train()

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, S, S) to logits (B, K)."""
        prefix, _ = self._cut
        with torch.no_grad():
            frozen = prefix(images)
        return self._behind(frozen)

    def _behind(self, frozen: Tensor) -> Tensor:
        """The frozen stages' output (B, ...) to logits (B, K)."""
        _, suffix = self._cut
        logits: Tensor = self.head(suffix(frozen))
        return logits

    def _logits(self, inputs: Tensor, *, stored: bool) -> Tensor:
        """What `_prepared` made of a batch to logits (B, K) float32."""
        return (self._behind(inputs) if stored else self(inputs)).float()

    def _prepared(self, batch: Batch, batch_idx: int) -> tuple[Tensor, bool]:
        """A batch's normalised images, or its stored outputs, and whether these are what it has."""
        stored = self._stored is not None and batch.inputs.dtype != torch.uint8
        prepare = self._stored if stored else self.preprocess
        assert prepare is not None
        inputs: Tensor = prepare(
            batch.inputs,
            batch.views,
            training=self.training,
            epoch=self.current_epoch,
            batch_idx=batch_idx,
        )
        return inputs, stored

    def on_train_epoch_start(self) -> None:
        """Start the epoch's mean loss anew."""
        self._loss_sum = torch.zeros((), device=self.device)
        self._loss_count = 0

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch; the epoch's mean is kept on the device."""
        inputs, stored = self._prepared(batch, batch_idx)
        inputs, targets = self._mix(
            inputs, batch.labels, epoch=self.current_epoch, batch_idx=batch_idx
        )
        loss = self._loss(self._logits(inputs, stored=stored), targets)
        divisor = None if self._divisor is None else partial(self._divisor, targets)
        loss, total = weighted(loss, len(batch.labels), divisor)
        self._loss_sum += total
        self._loss_count += len(batch.labels)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Report the epoch's training loss, and stop where it is not finite."""
        self._seen = []
        if self._loss_count == 0:
            return
        count = torch.tensor(float(self._loss_count), device=self.device)
        total, seen = summed(torch.stack([self._loss_sum, count])).tolist()
        loss = total / seen
        self._loss_count = 0
        self._stop_if_diverged("training", loss)
        self.log("train/loss", loss)

    def _stop_if_diverged(self, split: str, loss: float) -> None:
        """End the epoch before a checkpoint with such a loss could count as the best."""
        if not math.isfinite(loss):
            raise TrainingDivergedError(
                f"the {split} loss became {loss} in epoch {self.current_epoch}",
                todo=against_divergence(str(self.trainer.precision)),
            )

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep logits, labels and rows; scores are computed once for the whole split."""
        inputs, stored = self._prepared(batch, batch_idx)
        logits = self._logits(inputs, stored=stored)
        self._seen.append((logits, batch.labels, batch.items))

    def on_validation_epoch_end(self) -> None:
        """Score the validation split."""
        logits, labels, _ = self.collected()
        metrics = classification_metrics(logits, labels)
        scores = {f"val/{name}": value for name, value in metrics.items()}
        if self.trainer.state.fn == "fit":
            self._stop_if_diverged("validation", metrics["loss"])
            if self._course is not None:
                rates = self.lr_schedulers()
                assert isinstance(rates, Rates)
                rates.note(scores[self._course.monitor])
        self.log_dict(scores)

    def on_test_epoch_start(self) -> None:
        """Forget the items of the split evaluated before."""
        self._seen = []

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep logits, labels and rows, as in validation."""
        inputs, stored = self._prepared(batch, batch_idx)
        logits = self._logits(inputs, stored=stored)
        self._seen.append((logits, batch.labels, batch.items))

    def collected(self) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (N, K), labels (N,), table rows (N,) of the last evaluated split, on the CPU."""
        logits, labels, items = (torch.cat(part).cpu() for part in zip(*self._seen, strict=True))
        return logits, labels, items

    def configure_optimizers(self) -> Any:
        """The optimiser over what trains in any phase, its rates set before every step."""
        epochs_now = self.trainer.max_epochs or 1
        course = self._course or Course((Phase(0, epochs_now, 0, 1.0),), {}, "val/loss", "min")
        steps_per_epoch = max(1, int(self.trainer.estimated_stepping_batches) // epochs_now)
        curve = lr_factor(
            self._lr_schedule_spec,
            total_steps=steps_per_epoch * course.epochs,
            steps_per_epoch=steps_per_epoch,
        )
        optimizer = optimizer_over(
            self._optimizer_spec,
            {parameter: course.scales.get(name, 1.0) for name, parameter in self._trained},
            self._peak_lr,
        )

        def factor_after(scores: Sequence[float]) -> Callable[[int], float]:
            of_phase = phase_factor(course.phases_after(scores), steps_per_epoch=steps_per_epoch)
            dropped = self._dropped(scores)
            return lambda step: curve(step) * of_phase(step) * dropped

        rates = Rates(optimizer, factor_after)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rates, "interval": "step"}}

    def _dropped(self, scores: Sequence[float]) -> float:
        """The factor on the learning rate that the scores so far have led to."""
        spec, course = self._lr_schedule_spec, self._course
        if course is None or not isinstance(spec, PlateauLr):
            return 1.0
        drops = plateau_drops(
            scores,
            mode=course.mode,
            patience_epochs=spec.patience_epochs,
            restarts=[phase.first_epoch for phase in course.phases_after(scores)],
        )
        return plateau_factor(spec, drops=len(drops), lr=self._peak_lr)

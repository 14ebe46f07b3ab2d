"""How fast J heads train together: stacked tensors against what PyTorch offers for it.

    OMP_NUM_THREADS=2 python -m benchmarks.heads

Every way runs the same training loop (`train_heads`) on the same features, in one process, in turn.
Only the forward pass and the optimiser are exchanged.
"""

import argparse
import copy
import functools
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from frostline.config.recipe import Adam, AdamW, CosineLr, CrossEntropy, OptimizerChoice, Sgd
from frostline.data.order import EpochSampler
from frostline.features.feature_datamodule import RowOutputs
from frostline.features.stored_file import OutputForm, Segment
from frostline.features.stored_outputs import StoredOutputs
from frostline.training import head_training
from frostline.training.head import build_head
from frostline.training.head_training import Choice, HeadJob, HeadResult, train_heads
from frostline.training.optim import build_optimizer
from frostline.training.stacked_heads import StackedHeads, StackedOptimizer

WIDTH, CLASSES, BATCH, SEED = 1280, 5, 32, 5
LOSS = CrossEntropy(name="cross_entropy", label_smoothing=0.0, class_weights=0.0)
OPTIMIZERS: dict[str, OptimizerChoice] = {
    "adamw": AdamW(
        name="adamw", weight_decay=0.01, layer_decay=1.0, head_lr_factor=1.0, lr_center=1e-3
    ),
    "adam": Adam(
        name="adam", weight_decay=0.01, layer_decay=1.0, head_lr_factor=1.0, lr_center=1e-3
    ),
    "sgd": Sgd(
        name="sgd",
        weight_decay=0.01,
        layer_decay=1.0,
        head_lr_factor=1.0,
        lr_center=1e-3,
        momentum=0.9,
    ),
}


@dataclass(frozen=True)
class Case:
    """One size: a row of the table."""

    images: int
    epochs: int
    hidden: int | None
    heads: int

    def __str__(self) -> str:
        head = "linear" if self.hidden is None else f"mlp ({self.hidden} units)"
        return f"{self.heads} x {head}, {self.images:,} images, {self.epochs} epochs"


class SeparateHeads:
    """The heads as they are, one forward pass each."""

    def __init__(self, heads: Sequence[nn.Sequential]) -> None:
        self.heads = [copy.deepcopy(head) for head in heads]
        self._draws = any(isinstance(layer, nn.Dropout) for layer in heads[0])

    def logits(self, features: Tensor, *, training: bool) -> Tensor:
        """As `StackedHeads.logits`; the generator is set back so that all heads drop the same."""
        generator = torch.get_rng_state() if training and self._draws else None
        outputs = []
        for head in self.heads:
            if head.training != training:
                head.train(training)
            if generator is not None:
                torch.set_rng_state(generator)
            outputs.append(head(features))
        return torch.stack(outputs)

    def head_state(self, job: int) -> dict[str, Tensor]:
        """As `StackedHeads.head_state`."""
        return {name: value.clone() for name, value in self.heads[job].state_dict().items()}


class VmapSeparateHeads(SeparateHeads):
    """Parameters of each head by itself, as torch.optim needs them; stacked for each forward."""

    def __init__(self, heads: Sequence[nn.Sequential]) -> None:
        super().__init__(heads)
        self._template = copy.deepcopy(heads[0]).to("meta")

    def logits(self, features: Tensor, *, training: bool) -> Tensor:
        """As `StackedHeads.logits`."""
        members = [dict(head.named_parameters()) for head in self.heads]
        stacked = {name: torch.stack([each[name] for each in members]) for name in members[0]}
        return _vmapped(self._template, stacked, features, training=training)


class VmapStackedHeads:
    """`stack_module_state`: one tensor for all heads."""

    def __init__(self, heads: Sequence[nn.Sequential]) -> None:
        self._template = copy.deepcopy(heads[0]).to("meta")
        parameters, _ = stack_module_state(list(heads))  # type: ignore[arg-type]
        self.parameters = {
            name: value.detach().clone().requires_grad_() for name, value in parameters.items()
        }

    def logits(self, features: Tensor, *, training: bool) -> Tensor:
        """As `StackedHeads.logits`."""
        return _vmapped(self._template, self.parameters, features, training=training)

    def head_state(self, job: int) -> dict[str, Tensor]:
        """As `StackedHeads.head_state`."""
        return {name: value.detach()[job].clone() for name, value in self.parameters.items()}


def _vmapped(
    template: nn.Sequential, stacked: dict[str, Tensor], features: Tensor, *, training: bool
) -> Tensor:
    template.train(training)

    def one_head(parameters: dict[str, Tensor]) -> Tensor:
        output: Tensor = functional_call(template, parameters, (features,))
        return output

    logits: Tensor = torch.vmap(one_head, randomness="same")(stacked)
    return logits


class GroupsOptimizer:
    """torch.optim over separate heads, each with parameter groups of its own learning rate."""

    def __init__(
        self, heads: SeparateHeads, specs: Sequence[OptimizerChoice], **kernel: bool
    ) -> None:
        each = [
            build_optimizer(spec, head.parameters(), lr=1.0)
            for head, spec in zip(heads.heads, specs, strict=True)
        ]
        groups = [group for optimizer in each for group in optimizer.param_groups]
        self._job = [job for job, one in enumerate(each) for _ in one.param_groups]
        first = each[0]
        for group in groups:
            group.update(kernel)
        self._optimizer = type(first)(groups)  # type: ignore[arg-type]

    def step(self, lr: Sequence[float]) -> None:
        """As `StackedOptimizer.step`."""
        for group, job in zip(self._optimizer.param_groups, self._job, strict=True):
            group["lr"] = lr[job]
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)


class FormulaOptimizer:
    """The formulas of torch.optim written out over the stacked parameters, a rate for each head."""

    def __init__(self, heads: Any, specs: Sequence[OptimizerChoice]) -> None:
        self._parameters = heads.parameters
        self._spec = specs[0]
        self._first = {n: torch.zeros_like(p.detach()) for n, p in self._parameters.items()}
        self._second = {n: torch.zeros_like(p.detach()) for n, p in self._parameters.items()}
        self._steps = 0

    @torch.no_grad()
    def step(self, lr: Sequence[float]) -> None:
        """As `StackedOptimizer.step`."""
        self._steps += 1
        for name, parameter in self._parameters.items():
            gradient = parameter.grad
            rate = torch.tensor(lr, dtype=parameter.dtype).view(-1, *[1] * (parameter.dim() - 1))
            decay = self._spec.weight_decay if parameter.dim() == 3 else 0.0
            if isinstance(self._spec, AdamW):
                parameter.mul_(1 - rate * decay)
            else:
                gradient = gradient + decay * parameter
            first, second = self._first[name], self._second[name]
            if isinstance(self._spec, Sgd):
                first.mul_(self._spec.momentum).add_(gradient)
                parameter.sub_(rate * first)
            else:
                first.lerp_(gradient, 0.1)
                second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
                root = (1 - 0.999**self._steps) ** 0.5
                scaled = first / (second.sqrt() / root).add_(1e-8)
                parameter.sub_(rate / (1 - 0.9**self._steps) * scaled)
            parameter.grad = None


FOREACH = functools.partial(GroupsOptimizer, foreach=True)
FUSED = functools.partial(GroupsOptimizer, fused=True)
WAYS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "stacked, `torch.optim` (in use)": (StackedHeads, StackedOptimizer),
    "stacked, formulas written out": (StackedHeads, FormulaOptimizer),
    "separate, `torch.optim` foreach": (SeparateHeads, FOREACH),
    "separate, `torch.optim` fused": (SeparateHeads, FUSED),
    "`vmap`, `torch.optim` fused": (VmapSeparateHeads, FUSED),
    "`vmap`, formulas written out": (VmapStackedHeads, FormulaOptimizer),
}


def stored_features(images: int) -> RowOutputs:
    """Two views of each image, with classes that overlap."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, CLASSES, (images,), generator=generator)
    centres = torch.randn(CLASSES, WIDTH, generator=generator)
    noise = torch.randn(2 * images, WIDTH, generator=generator)
    features = centres[labels].repeat_interleave(2, dim=0) + 8 * noise
    pairs = np.array([(row, view) for row in range(images) for view in range(2)])
    form = OutputForm.of(features)
    segment = Segment(Path("none"), pairs, form, form.to_stored(features))
    return RowOutputs(StoredOutputs([segment]), labels.numpy())


def train_once(
    way: str, case: Case, optimizer: OptimizerChoice, features: RowOutputs
) -> tuple[float, list[HeadResult]]:
    """Seconds of the training loop, and what became of the heads."""
    n_train, n_val = int(0.6 * case.images), int(0.2 * case.images)
    training = EpochSampler(
        np.arange(n_train), batch_size=BATCH, seed=SEED, n_views=2, training=True
    )
    validation = EpochSampler(
        np.arange(n_train, n_train + n_val), batch_size=BATCH, seed=SEED, n_views=1, training=False
    )
    jobs = [
        HeadJob(
            build_head(
                WIDTH, CLASSES, hidden=case.hidden, dropout=0.5 if case.hidden else 0.0,
                batch_norm=False, seed=SEED,
            ),
            1e-4 * 1.05**job,
            optimizer,
            CosineLr(name="cosine", warmup_frac=0.1),
        )
        for job in range(case.heads)
    ]  # fmt: skip
    heads, steps = WAYS[way]
    with mock.patch.multiple(head_training, StackedHeads=heads, StackedOptimizer=steps):
        begun_s = time.perf_counter()
        results = train_heads(
            jobs, features.__getitem__, training, validation, seed=SEED, epochs=case.epochs,
            loss=LOSS, class_weights=None, choice=Choice("val/f1_macro", "max", None),
            on_progress=lambda **_: None,
        )  # fmt: skip
        return time.perf_counter() - begun_s, results


def measure(case: Case, optimizer: OptimizerChoice, repeats: int) -> tuple[dict[str, float], float]:
    """Median seconds of each way, run in turn, and the largest relative gap of a loss."""
    features = stored_features(case.images)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    gap = 0.0
    for repeat in range(repeats + 1):
        expected: list[float] = []
        for way in WAYS:
            taken, results = train_once(way, case, optimizer, features)
            losses = [epoch["val/loss"] for result in results for epoch in result.history]
            expected = expected or losses
            gap = max(gap, *(abs(a / b - 1) for a, b in zip(losses, expected, strict=True)))
            if repeat > 0:  # the first one warms up
                seconds[way].append(taken)
    return {way: statistics.median(times) for way, times in seconds.items()}, gap


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=int, nargs="+", default=[8, 24, 64])
    parser.add_argument("--hidden", type=int, nargs="+", default=[0, 256], help="0: linear heads")
    parser.add_argument("--optimizer", choices=list(OPTIMIZERS), default="adamw")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    print("| heads | " + " | ".join(WAYS) + " |")
    print("|---" * (len(WAYS) + 1) + "|")
    largest = 0.0
    for hidden in options.hidden:
        for images, epochs in ((300, 2), (1000, 5)):
            for heads in options.heads:
                case = Case(images, epochs, hidden or None, heads)
                medians, gap = measure(case, OPTIMIZERS[options.optimizer], options.repeats)
                ours = medians["stacked, `torch.optim` (in use)"]
                largest = max(largest, gap)
                cells = [f"{1e3 * ours:.0f} ms"]
                cells += [f"{taken / ours:.1f}x" for taken in list(medians.values())[1:]]
                print(f"| {case} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nLargest relative difference of a validation loss: {largest:.0e}.")


if __name__ == "__main__":
    main()

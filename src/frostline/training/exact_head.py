"""The exact solution of a linear head on frozen features: multinomial logistic regression.

It minimises the mean cross-entropy plus `l2 / 2` times the sum of the squared weights (not of the
biases), for a path of `l2` from strong to weak, each solved by L-BFGS from the one before. Nothing
is drawn: the same features give the same heads.

What is fixed below was measured by `python -m benchmarks.head_end` on features whose mean squared
distance from their mean was 500 to 4200. All features are brought to `NORM` first, so that others
get the same path and the same accuracy in proportion, whatever the scale of their backbone.

Source: J. Friedman, T. Hastie and R. Tibshirani, Regularization paths for generalized linear
models via coordinate descent, Journal of Statistical Software 33 (2010), 2.5 (paths with warm
starts); R. Tibshirani and T. Hastie, Efficient quadratic regularization for expression arrays,
Biostatistics 5 (2004) (the solution in the span of the rows).
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from frostline.training.task import TrainingDivergedError

NORM = 1000.0
PATH = [10 ** (1 - half / 2) for half in range(13)]  # of features of that norm: 10 to 1e-5
PATIENCE = 2  # values in a row that do not lower the validation loss
SMALL_GAIN = 0.001  # of the validation loss: none, once half of the path is done
SOLVED = 0.01  # a validation loss below which the path ends
GRADIENT, CHANGE = 1e-4, 1e-6  # L-BFGS ends at such a gradient, or change of loss or weights
MEMORY_BYTES = 2**30
KEPT = 2**25  # values: more are centred anew in each step, in chunks, rather than in a copy
CHUNK = 2**22


@dataclass(frozen=True)
class Solution:
    """The head for one strength of the penalty.

    Attributes:
        strength: The value of the path, for features of norm `NORM`.
        l2: Of the features as given: the head minimises `train_loss + l2 / 2 * |weight|^2`.
        weight: (K, F) float32.
        bias: (K) float32.
        val_loss: Plain mean cross-entropy on the held-out features.
        train_loss: Mean cross-entropy in training, weighted and smoothed, without the penalty.
        seconds: Wall time; the first one's includes what is prepared for all.
    """

    strength: float
    l2: float
    weight: Tensor
    bias: Tensor
    val_loss: float
    train_loss: float
    seconds: float


def fits_memory(rows: int, features: int) -> bool:
    """Whether so many features can be held at once, as float32: up to 1 GiB.

    Args:
        rows: Of training, counted once for each view.
        features: Width of each.
    """
    return 4 * rows * features <= MEMORY_BYTES


def solve_path(
    train: Tensor,
    labels: Tensor,
    held_out: Tensor,
    held_out_labels: Tensor,
    *,
    classes: int,
    label_smoothing: float,
    class_weights: Tensor | None,
    path: Sequence[float] = PATH,
) -> list[Solution]:
    """Solve the head for penalties from strong to weak, until validation no longer improves.

    A path whose first value is the best one may have wanted a stronger penalty still.

    Args:
        train: (N, F) features; all views of all images, each of them a row.
        labels: (N) int64.
        held_out: (M, F), at least one row.
        held_out_labels: (M) int64.
        classes: K; those without a row in training are allowed.
        label_smoothing: As in `torch.nn.functional.cross_entropy`.
        class_weights: (K) for the weighted mean, as there; None for equal ones.
        path: Strengths of the penalty on features of norm `NORM`, from strong to weak.

    Returns:
        One solution for each value tried, in the order of the path; all are finite.

    Raises:
        TrainingDivergedError: If a feature is NaN or infinite, or no solution is finite.
    """
    begun_s = time.perf_counter()
    frame = _Frame.of(train, held_out)
    loss = _MeanLoss(frame, train, labels, classes, label_smoothing, class_weights)
    weight = torch.zeros(classes, frame.width, device=train.device, requires_grad=True)
    bias = torch.zeros(classes, device=train.device, requires_grad=True)
    solutions: list[Solution] = []
    for l2 in path:
        _minimise(loss, weight, bias, l2)
        with torch.no_grad():
            given = frame.unfolded(weight, bias)
            logits = F.linear(held_out.float(), *given)
            val_loss = F.cross_entropy(logits, held_out_labels).item()
            train_loss = sum(part.item() for part in loss.parts(weight, bias))
        if not math.isfinite(val_loss + train_loss):
            break
        now_s = time.perf_counter()
        solutions.append(
            Solution(l2, l2 * frame.unit**2, *given, val_loss, train_loss, now_s - begun_s)
        )
        begun_s = now_s
        if not goes_on([each.val_loss for each in solutions]):
            break
    if not solutions:
        raise _diverged("the loss of the solved head is not finite")
    return solutions


def goes_on(losses: Sequence[float]) -> bool:
    """Whether a weaker penalty may lower the validation loss still.

    Args:
        losses: The validation loss of each value so far, the strongest penalty first.
    """
    if losses[-1] < SOLVED:
        return False
    if len(losses) <= PATIENCE:
        return True
    share = 1.0 if len(losses) <= len(PATH) // 2 else 1 - SMALL_GAIN
    return min(losses[-PATIENCE:]) < share * min(losses[:-PATIENCE])


@dataclass(frozen=True)
class _Frame:
    """The coordinates in which is solved: centred, of norm `NORM`, and few.

    Attributes:
        mean: (F) float64, of the training rows.
        unit: Of the features as given: seen = (given - mean) / unit.
        span: (F, N) orthonormal columns whose span holds all centred rows; None for all of F.
        rows: (N, width) the training rows, seen; None if they are too many to be kept.
    """

    mean: Tensor
    unit: float
    span: Tensor | None
    rows: Tensor | None

    @staticmethod
    def of(train: Tensor, held_out: Tensor) -> "_Frame":
        for name, features in {"training": train, "validation": held_out}.items():
            if not all(chunk.isfinite().all() for chunk in _chunks(features)):
                raise _diverged(f"a feature of the {name} images is NaN or infinite")
        mean = sum(chunk.double().sum(dim=0) for chunk in _chunks(train)) / len(train)
        assert isinstance(mean, Tensor)
        squares = sum(
            (chunk.double() - mean).square().sum().item() for chunk in _chunks(train)
        ) / len(train)
        # What float32 does not resolve is constant.
        unit = math.sqrt(squares / NORM) if squares > 1e-12 * mean.square().sum().item() else 1.0
        frame = _Frame(mean, unit, None, None)
        if train.numel() > KEPT:
            return frame
        rows = frame.seen(train)
        if len(rows) >= rows.shape[1]:
            return _Frame(mean, unit, None, rows)
        span, coordinates = torch.linalg.qr(rows.T)
        return _Frame(mean, unit, span, coordinates.T.contiguous())

    @property
    def width(self) -> int:
        """Of what is seen."""
        return len(self.mean) if self.span is None else self.span.shape[1]

    def seen(self, features: Tensor) -> Tensor:
        """Features as given (n, F) to (n, F) float32, centred and of norm `NORM`."""
        return (features.float() - self.mean.float()) / self.unit

    def unfolded(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weight (K, width) and bias (K) to those for the features as given, float32."""
        wide = weight if self.span is None else weight @ self.span.T
        given = wide.double() / self.unit
        return given.float(), (bias.double() - given @ self.mean).float()


class _MeanLoss:
    """The mean cross-entropy of the training rows, in parts that fit the caches.

    Args:
        frame: In which weights and rows are.
        train: (N, F) as given.
        labels: (N) int64.
        classes: K.
        smoothing: Of the labels.
        class_weights: (K), or None.
    """

    def __init__(
        self,
        frame: _Frame,
        train: Tensor,
        labels: Tensor,
        classes: int,
        smoothing: float,
        class_weights: Tensor | None,
    ) -> None:
        self._frame = frame
        self._train = train
        self._labels = labels.clone()  # may have been made in inference mode
        self._smoothing = smoothing
        self._weights = None if class_weights is None else class_weights.float().clone()
        ones = torch.ones(classes) if self._weights is None else self._weights
        self._total = ones.to(labels.device)[self._labels].sum().item()

    def _rows(self) -> Iterable[Tensor]:
        if self._frame.rows is not None:
            return [self._frame.rows]
        return (self._frame.seen(chunk) for chunk in _chunks(self._train))

    def parts(self, weight: Tensor, bias: Tensor) -> Iterator[Tensor]:
        """Scalars that sum to the loss."""
        first = 0
        for rows in self._rows():
            labels = self._labels[first : first + len(rows)]
            first += len(rows)
            summed = F.cross_entropy(
                F.linear(rows, weight, bias),
                labels,
                weight=self._weights,
                label_smoothing=self._smoothing,
                reduction="sum",
            )
            yield summed / self._total


def _minimise(loss: _MeanLoss, weight: Tensor, bias: Tensor, l2: float) -> None:
    """Move `weight` and `bias` to the minimum for one penalty."""
    # With more classes each has a smaller share of the rows, and of the gradient.
    solver = torch.optim.LBFGS(
        [weight, bias],
        max_iter=300,
        history_size=20,
        tolerance_grad=GRADIENT * min(1.0, 100 / len(bias)),
        tolerance_change=CHANGE,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        solver.zero_grad()
        penalty = 0.5 * l2 * weight.square().sum()
        torch.autograd.backward(penalty)
        value = penalty.item()
        for part in loss.parts(weight, bias):
            torch.autograd.backward(part)
            value += part.item()
        return value

    solver.step(closure)  # type: ignore[no-untyped-call]


def _chunks(features: Tensor) -> list[Tensor]:
    rows = max(1, CHUNK // features.shape[1])
    return [features[first : first + rows] for first in range(0, len(features), rows)]


def _diverged(what: str) -> TrainingDivergedError:
    return TrainingDivergedError(what, todo="use trainer.precision=32-true, or check the images")

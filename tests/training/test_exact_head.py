"""The exact head against scikit-learn and against its own definition; what could break it."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from frostline.training import exact_head
from frostline.training.exact_head import (
    Solution,
    fits_memory,
    goes_on,
    solve_path,
)
from frostline.training.task import TrainingDivergedError

Drawn = tuple[Tensor, Tensor, Tensor, Tensor]


def drawn(rows: int = 60, width: int = 8, classes: int = 3, *, apart: float = 1.0) -> Drawn:
    """Features around a centre for each class, and labels, of training and validation."""
    generator = torch.Generator().manual_seed(rows + width + classes)
    centres = apart * torch.randn(classes, width, generator=generator)
    labels = torch.arange(2 * rows) % classes
    features = 5 + centres[labels] + torch.randn(2 * rows, width, generator=generator)
    return features[:rows], labels[:rows], features[rows:], labels[rows:]


def solved(data: Drawn, *, scale: float = 1.0, **how: Any) -> list[Solution]:
    train, labels, held_out, wanted = data
    defaults = {"classes": int(labels.max()) + 1, "label_smoothing": 0.0, "class_weights": None}
    return solve_path(scale * train, labels, scale * held_out, wanted, **(defaults | how))


def probabilities(solution: Solution, features: Tensor) -> Tensor:
    return torch.softmax(F.linear(features, solution.weight, solution.bias), dim=1)


def reference(solution: Solution, data: Drawn) -> Any:
    """Probabilities of scikit-learn's solution for the same penalty, on the held-out features."""
    train, labels, held_out, _ = data
    # For two classes it has one vector of weights, which is the difference of ours.
    share = 2 if len(solution.bias) == 2 else 1
    model = LogisticRegression(C=share / (solution.l2 * len(train)), tol=1e-9, max_iter=20000)
    model.fit(train.double().numpy(), labels.numpy())
    return model.predict_proba(held_out.double().numpy())


@pytest.mark.parametrize(("rows", "width", "classes"), [(60, 8, 3), (30, 50, 3), (40, 8, 2)])
def test_agrees_with_scikit_learn(
    rows: int, width: int, classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = drawn(rows, width, classes)
    for solution in solved(data):
        got = probabilities(solution, data[2]).numpy()
        assert got == pytest.approx(reference(solution, data), abs=2e-2)
    monkeypatch.setattr(exact_head, "CHANGE", 1e-9)
    for solution in solved(data, path=[10.0, 3.0, 1.0]):
        got = probabilities(solution, data[2]).numpy()
        assert got == pytest.approx(reference(solution, data), abs=1e-3)


@pytest.mark.parametrize(("rows", "width"), [(60, 8), (30, 50)])
def test_weighted_and_smoothed_loss_is_at_a_stationary_point(rows: int, width: int) -> None:
    data, weights = drawn(rows, width), torch.tensor([0.5, 1.0, 3.0])
    loss: dict[str, Any] = {"weight": weights.double(), "label_smoothing": 0.2}
    for solution in solved(data, label_smoothing=0.2, class_weights=weights):
        weight = solution.weight.double().requires_grad_()
        bias = solution.bias.double().requires_grad_()
        fit = F.cross_entropy(F.linear(data[0].double(), weight, bias), data[1], **loss)
        value = fit + 0.5 * solution.l2 * weight.square().sum()
        towards = torch.autograd.grad(value, (weight, bias))
        spread = (data[0] - data[0].mean(0)).square().sum(1).mean().sqrt().item()
        assert towards[0].abs().max() < 5e-3 * spread
        assert towards[1].abs().max() < 5e-3
        assert solution.train_loss == pytest.approx(fit.item(), abs=1e-5)


def test_losses_are_those_of_the_returned_head() -> None:
    data = drawn()
    for solution in solved(data, class_weights=torch.tensor([0.5, 1.0, 3.0])):
        plain = F.cross_entropy(F.linear(data[2], solution.weight, solution.bias), data[3])
        assert solution.val_loss == pytest.approx(plain.item(), abs=1e-6)


def test_equal_weights_of_any_size_change_nothing() -> None:
    data = drawn()
    plain, weighted = solved(data), solved(data, class_weights=torch.full((3,), 7.0))
    for one, other in zip(plain, weighted, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, abs=1e-4)
        assert torch.allclose(one.weight, other.weight, atol=1e-2)


def test_a_power_of_two_as_scale_gives_the_same_to_the_last_bit() -> None:
    one, other = solved(drawn()), solved(drawn(), scale=2.0**10)
    assert [each.val_loss for each in one] == [each.val_loss for each in other]
    assert all(torch.equal(a.weight, b.weight * 2**10) for a, b in zip(one, other, strict=True))
    assert all(a.l2 * 2**20 == pytest.approx(b.l2) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("scale", [0.1, 10.0, 1e-6, 1e6])
@pytest.mark.parametrize(("rows", "width"), [(60, 8), (30, 50)])
def test_any_scale_gives_the_same_predictions(rows: int, width: int, scale: float) -> None:
    data = drawn(rows, width)
    one, other = solved(data), solved(data, scale=scale)
    for a, b in zip(one, other, strict=True):
        expected = probabilities(a, data[2]).numpy()
        assert probabilities(b, scale * data[2]).numpy() == pytest.approx(expected, abs=2e-3)


def test_the_warm_path_ends_where_a_cold_start_does(monkeypatch: pytest.MonkeyPatch) -> None:
    data = drawn()
    monkeypatch.setattr(exact_head, "CHANGE", 1e-9)
    for solution in solved(data):
        (cold,) = solved(data, path=[solution.strength])
        expected = probabilities(cold, data[2]).numpy()
        assert cold.l2 == solution.l2
        assert probabilities(solution, data[2]).numpy() == pytest.approx(expected, abs=3e-3)


def test_chunks_and_span_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = drawn(30, 50)
    in_span = solved(data)
    monkeypatch.setattr(exact_head, "KEPT", 100)
    monkeypatch.setattr(exact_head, "CHUNK", 350)
    in_chunks = solved(data)
    for one, other in zip(in_span, in_chunks, strict=True):
        expected = probabilities(one, data[2]).numpy()
        assert probabilities(other, data[2]).numpy() == pytest.approx(expected, abs=2e-3)


def test_nothing_is_drawn_and_nothing_given_is_changed() -> None:
    data = drawn()
    before = [each.clone() for each in data]
    torch.manual_seed(0)
    one = solved(data)
    torch.manual_seed(1)
    other = solved(data)
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(one, other, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, data, strict=True))


def test_features_made_in_inference_mode_are_accepted() -> None:
    with torch.inference_mode():
        data = drawn()
    assert solved(data)


def _constant(width: int) -> Drawn:
    train, labels, held_out, wanted = drawn(60, width)
    return torch.full_like(train, 3.3), labels, torch.full_like(held_out, 3.3), wanted


@pytest.mark.parametrize("width", [8, 100])
def test_constant_features_give_the_frequencies_of_the_classes(width: int) -> None:
    for solution in solved(_constant(width)):
        assert solution.val_loss == pytest.approx(math.log(3), abs=1e-4)


def _with(data: Drawn, column: int, value: float) -> Drawn:
    train, labels, held_out, wanted = (each.clone() for each in data)
    train[:, column], held_out[:, column] = value, value
    train[0, column] += value
    return train, labels, held_out, wanted


CORNERS: dict[str, tuple[Drawn, int]] = {
    "two classes": (drawn(40, 8, 2), 2),
    "a hundred classes": (drawn(300, 64, 100), 100),
    "a class without rows": (drawn(60, 8, 3), 5),
    "separable": (drawn(60, 8, 3, apart=50.0), 3),
    "separable in the span": (drawn(30, 200, 3, apart=50.0), 3),
    "a row for each class": (drawn(3, 8, 3), 3),
    "one row": (drawn(1, 8, 1), 2),
    "one feature": (drawn(60, 1, 3), 3),
    "zeros": (_with(drawn(), 2, 0.0), 3),
    "huge": (_with(drawn(), 2, 1e18), 3),
    "huge in the span": (_with(drawn(30, 50), 2, 1e30), 3),
    "tiny": ((drawn()[0] * 1e-30, drawn()[1], drawn()[2] * 1e-30, drawn()[3]), 3),
    "constant": (_constant(8), 3),
    "half precision": ((drawn()[0].bfloat16(), drawn()[1], drawn()[2].bfloat16(), drawn()[3]), 3),
}


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("corner", CORNERS)
def test_corner_cases_stay_finite(corner: str, smoothing: float) -> None:
    data, classes = CORNERS[corner]
    solutions = solved(data, classes=classes, label_smoothing=smoothing)
    assert solutions
    for each in solutions:
        assert each.weight.shape == (classes, data[0].shape[1])
        assert each.weight.isfinite().all() and each.bias.isfinite().all()
        assert math.isfinite(each.val_loss) and math.isfinite(each.train_loss)


def test_separable_classes_are_told_apart() -> None:
    data = drawn(60, 8, 3, apart=50.0)
    last = solved(data)[-1]
    assert last.val_loss < 0.01
    assert (probabilities(last, data[2]).argmax(1) == data[3]).all()


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("part", [0, 2])
def test_features_that_are_not_finite_are_refused(part: int, value: float) -> None:
    data = drawn()
    data[part][1, 1] = value
    with pytest.raises(TrainingDivergedError, match="NaN or infinite"):
        solved(data)


def test_the_path_ends_where_validation_ends() -> None:
    assert goes_on([2.0])
    assert goes_on([2.0, 3.0]), "one worse value may be a bump"
    assert not goes_on([2.0, 3.0, 2.5])
    assert goes_on([2.0, 3.0, 1.9])
    assert not goes_on([1.0, 0.0099])
    falling = list(np.linspace(2, 1.9999, 7))
    assert goes_on(falling[:6]), "the strongest penalties may all be too strong"
    assert not goes_on(falling)


def test_a_gibibyte_fits() -> None:
    assert fits_memory(2**18, 2**10)
    assert not fits_memory(2**18 + 1, 2**10)

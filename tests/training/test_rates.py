"""Learning rates by value: warm-up, phases, stages, and plateaus against torch's own."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import nn

from frostline.backbones.spec import Stage
from frostline.config.recipe import (
    ConstantLr,
    CosineLr,
    LrChoice,
    OptimizerChoice,
    PlateauLr,
    StepLr,
)
from frostline.training.learning_rates import (
    Rates,
    lr_factor,
    phase_factor,
    plateau_drops,
    plateau_factor,
)
from frostline.training.optim import lr_scales, optimizer_over
from frostline.training.schedule import Phase
from tests import optimizers

PLATEAU = PlateauLr(name="plateau", factor=0.5, patience_epochs=1, min_lr=0.0, warmup_frac=0.0)
DECAYS: list[OptimizerChoice] = [
    optimizers.adamw(weight_decay=0.1, layer_decay=0.5),
    optimizers.adam(weight_decay=0.1, layer_decay=0.5),
    optimizers.sgd(
        weight_decay=0.1,
        momentum=0.9,
        layer_decay=0.5,
    ),
]


@pytest.mark.parametrize(
    ("spec", "after"),
    [
        (CosineLr(name="cosine", warmup_frac=0.4), [1.0, 0.9330, 0.75, 0.5, 0.25, 0.0670]),
        (ConstantLr(name="constant", warmup_frac=0.4), [1.0] * 6),
        (StepLr(name="step", every_epochs=3, gamma=0.1, warmup_frac=0.4), [1.0, 1.0] + [0.1] * 4),
        (PLATEAU.model_copy(update={"warmup_frac": 0.4}), [1.0] * 6),
    ],
)
def test_every_schedule_warms_up_over_the_first_share_of_all_steps(
    spec: LrChoice, after: list[float]
) -> None:
    factor = lr_factor(spec, total_steps=10, steps_per_epoch=2)
    assert [factor(step) for step in range(4)] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert [factor(step) for step in range(4, 10)] == pytest.approx(after, abs=1e-4)


def test_the_phases_factor_changes_with_the_first_step_of_its_first_epoch() -> None:
    phases = (Phase(0, 1, "all", 1.0), Phase(1, 2, 3, 0.1))
    factor = phase_factor(phases, steps_per_epoch=3)
    assert [factor(step) for step in range(10)] == [1.0] * 3 + [0.1] * 7


def stages() -> tuple[Stage, ...]:
    return tuple(
        Stage(number=number, modules=(), tensors=tensors, params=0, flops=0, end=None, out_shape=())
        for number, tensors in ((1, ("stem.w",)), (2, ("a.w", "a.b")), (3, ("b.w",)))
    )


def test_rates_of_stages_fall_with_their_distance_from_the_head() -> None:
    assert lr_scales(stages(), 0.5) == {"stem.w": 0.125, "a.w": 0.25, "a.b": 0.25, "b.w": 0.5}
    assert set(lr_scales(stages(), 1.0).values()) == {1.0}


@pytest.mark.parametrize("spec", DECAYS)
def test_groups_by_rate_and_decay_in_one_order(spec: OptimizerChoice) -> None:
    matrix, bias, deep, head = (nn.Parameter(torch.ones(n)) for n in ((2, 2), 2, (3, 3), (4, 4)))
    scales = {matrix: 0.5, bias: 0.5, deep: 0.25, head: 1.0}
    optimizer = optimizer_over(spec, scales, 0.4)
    found = [(g["lr"], g["weight_decay"], len(g["params"])) for g in optimizer.param_groups]
    assert found == [(0.4, 0.1, 1), (0.2, 0.1, 1), (0.2, 0.0, 1), (0.1, 0.1, 1)]
    assert optimizer.param_groups[0]["params"][0] is head


@pytest.mark.parametrize("spec", DECAYS)
def test_what_has_no_gradient_is_left_alone_and_has_no_state(spec: OptimizerChoice) -> None:
    frozen, trained = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    optimizer = optimizer_over(spec, {frozen: 0.5, trained: 1.0}, 0.1)
    trained.grad = torch.ones(2, 2)
    optimizer.step()
    assert torch.equal(frozen, torch.ones(2, 2))
    assert not torch.equal(trained, torch.ones(2, 2))
    assert set(optimizer.state) == {trained}


def plateau_rates(spec: PlateauLr, mode: str, lr: float) -> tuple[torch.optim.SGD, Rates]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=lr)

    def factor_after(scores: Sequence[float]) -> Callable[[int], float]:
        drops = plateau_drops(scores, mode=mode, patience_epochs=spec.patience_epochs)
        return lambda _step: plateau_factor(spec, drops=len(drops), lr=lr)

    return optimizer, Rates(optimizer, factor_after)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_plateaus_are_those_of_torch(mode: str, patience: int, seed: int) -> None:
    spec = PLATEAU.model_copy(update={"patience_epochs": patience, "min_lr": 2e-4})
    scores = (torch.rand(40, generator=torch.Generator().manual_seed(seed)) + 0.5).tolist()
    scores[7] = scores[6] * (1 + 5e-5)  # no improvement that counts
    theirs = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.02)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        theirs, mode=mode, factor=0.5, patience=patience, min_lr=2e-4
    )
    ours, rates = plateau_rates(spec, mode, 0.02)
    for score in scores:
        reference.step(score)
        rates.note(score)
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"])
    assert ours.param_groups[0]["lr"] < 0.02


def test_a_plateau_is_counted_anew_in_each_phase_and_the_best_value_remembered() -> None:
    scores = [0.5, 0.4, 0.4, 0.4, 0.4]
    assert plateau_drops(scores, mode="max", patience_epochs=1) == [2, 4]
    assert plateau_drops(scores, mode="max", patience_epochs=1, restarts=[0, 2]) == [3]


def test_a_rate_below_the_floor_is_not_raised() -> None:
    spec = PLATEAU.model_copy(update={"min_lr": 0.1})
    assert plateau_factor(spec, drops=0, lr=0.01) == 1.0
    assert plateau_factor(spec, drops=3, lr=0.01) == 1.0
    assert plateau_factor(spec, drops=3, lr=0.4) == 0.25


def test_rates_go_on_from_their_state() -> None:
    optimizer, rates = plateau_rates(PLATEAU, "min", 1.0)
    for score in (1.0, 1.0, 1.0):
        optimizer.step()
        rates.step()
        rates.note(score)
    assert optimizer.param_groups[0]["lr"] == 0.5
    again, resumed = plateau_rates(PLATEAU, "min", 1.0)
    again.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(rates.state_dict())
    for each, its in ((optimizer, rates), (again, resumed)):
        each.step()
        its.step()
        its.note(1.0)
        its.note(1.0)
    assert again.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"] == 0.25
    assert resumed.state_dict() == rates.state_dict()

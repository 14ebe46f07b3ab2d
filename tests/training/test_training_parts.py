"""Seeds, head, metrics, optimiser and learning rates: values, not existence."""

import math

import pytest
import torch
from torch import nn

from frostline.config.recipe import ConstantLr, CosineLr, StepLr
from frostline.data.seeds import derive_seed, seed_epoch
from frostline.training.head import build_head
from frostline.training.learning_rates import lr_factor
from frostline.training.metrics import classification_metrics
from frostline.training.optim import build_optimizer
from frostline.training.probabilities import probabilities
from frostline.training.scaled_loss import scaled_loss
from tests import optimizers


def test_seeds_differ_by_purpose_and_are_the_same_everywhere() -> None:
    assert derive_seed(0, "order", 1) == derive_seed(0, "order", 1)
    seeds = {derive_seed(s, p, e) for s in range(3) for p in ("order", "views") for e in range(3)}
    assert len(seeds) == 18
    assert derive_seed(0, "order", 0) == 3955691223199900983
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_an_epoch_draws_the_same_whatever_came_before() -> None:
    seed_epoch(7, 3)
    expected = torch.rand(4)
    torch.rand(99)
    seed_epoch(7, 3)
    assert torch.equal(torch.rand(4), expected)


def head(**changes: object) -> nn.Sequential:
    options: dict[str, object] = {
        "hidden": None,
        "dropout": 0.0,
        "batch_norm": False,
        "seed": 0,
    } | changes
    return build_head(8192, 2, **options)  # type: ignore[arg-type]


def test_the_vgg_recipe_head_has_its_parameters() -> None:
    mlp = head(hidden=256, dropout=0.5)
    assert sum(p.numel() for p in mlp[0].parameters()) == 2_097_408
    assert [type(layer) for layer in mlp] == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]


def test_a_head_is_drawn_from_its_seed_alone() -> None:
    torch.manual_seed(1)
    first = head()[0].weight
    torch.manual_seed(2)
    assert torch.equal(first, head()[0].weight)
    assert not torch.equal(first, head(seed=1)[0].weight)
    assert first.abs().max() <= 8192**-0.5


def test_metrics_spell_out_their_averages() -> None:
    # Three of class 0 right, the only one of class 1 wrong.
    logits = torch.tensor([[4.0, 0.0]] * 4)
    labels = torch.tensor([0, 0, 0, 1])
    scores = classification_metrics(logits, labels)
    assert scores["acc_micro"] == pytest.approx(0.75)
    assert scores["acc_macro"] == pytest.approx(0.5)
    assert scores["f1_macro"] == pytest.approx((6 / 7) / 2)
    low, high = math.log1p(math.exp(-4)), math.log1p(math.exp(4))
    assert scores["loss"] == pytest.approx((3 * low + high) / 4)
    assert probabilities(logits).sum(dim=1).tolist() == pytest.approx([1.0] * 4)


def test_the_scaled_loss_does_not_depend_on_how_sure_the_logits_are() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 5, (200,), generator=generator)
    logits = torch.randn(200, 5, generator=generator) + 2.0 * torch.eye(5)[labels]
    scaled = scaled_loss(logits, labels)
    for factor in (0.1, 8.0, 100.0):
        assert scaled_loss(factor * logits, labels) == pytest.approx(scaled, abs=1e-4)
    assert scaled < float(torch.nn.functional.cross_entropy(8.0 * logits, labels))
    assert scaled <= float(torch.nn.functional.cross_entropy(logits, labels)) + 1e-5
    useless = torch.randn(200, 5, generator=generator) * 50
    assert scaled_loss(useless, labels) == pytest.approx(math.log(5), abs=0.02)


@pytest.mark.parametrize("labels", [[3], [-1]])
def test_labels_that_are_no_class_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match=r"0\.\.2"):
        classification_metrics(torch.zeros(1, 3), torch.tensor(labels))


def test_the_optimiser_holds_only_what_trains_and_decays_only_matrices() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    for p in net[0].parameters():
        p.requires_grad = False
    optimizer = build_optimizer(
        optimizers.adamw(weight_decay=0.1),
        net.parameters(),
        0.01,
    )
    decayed, plain = optimizer.param_groups
    assert [p.shape for p in decayed["params"]] == [torch.Size([2, 3])]
    assert decayed["weight_decay"] == 0.1
    assert [p.shape for p in plain["params"]] == [torch.Size([3])] * 2 + [torch.Size([2])]
    assert plain["weight_decay"] == 0.0


def test_each_optimiser_is_the_one_that_was_asked_for() -> None:
    net = nn.Linear(2, 2)
    sgd = build_optimizer(
        optimizers.sgd(
            weight_decay=0.0,
            momentum=0.8,
        ),
        net.parameters(),
        0.1,
    )
    adam = build_optimizer(
        optimizers.adam(weight_decay=0.0),
        net.parameters(),
        0.1,
    )
    assert isinstance(sgd, torch.optim.SGD) and sgd.param_groups[0]["momentum"] == 0.8
    assert type(adam) is torch.optim.Adam


def test_nothing_to_train_is_an_error() -> None:
    net = nn.Linear(2, 2).requires_grad_(False)
    with pytest.raises(ValueError, match="nothing to train"):
        build_optimizer(
            optimizers.adam(weight_decay=0.0),
            net.parameters(),
            0.1,
        )


def test_learning_rates_are_functions_of_the_step() -> None:
    cosine = lr_factor(CosineLr(name="cosine", warmup_frac=0.2), total_steps=10, steps_per_epoch=5)
    assert [round(cosine(step), 4) for step in (0, 1, 2, 6, 10)] == [0.3333, 0.6667, 1.0, 0.5, 0.0]
    step = lr_factor(
        StepLr(name="step", every_epochs=7, gamma=0.1, warmup_frac=0.0),
        total_steps=100,
        steps_per_epoch=2,
    )
    assert [step(s) for s in (0, 13, 14, 28)] == pytest.approx([1.0, 1.0, 0.1, 0.01])
    constant = lr_factor(
        ConstantLr(name="constant", warmup_frac=0.0), total_steps=10, steps_per_epoch=1
    )
    assert constant(3) == 1.0

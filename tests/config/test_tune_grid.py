"""The grid of a cell: what is tuned, over which values, what is refused before the first job."""

from itertools import pairwise

import pytest

from frostline.config.identity import config_digest
from frostline.config.tune_grid import (
    candidates_of,
    grid_of,
    lr_from,
    next_rate,
    on_tuning_seed,
    with_values,
)
from frostline.errors import ConfigError
from tests.composed import settings

DECAYS = "tune.over={optimizer.weight_decay: [0, 0.01, 0.1]}"


def test_the_default_is_a_grid_of_rates_half_a_decade_apart_around_the_optimizers() -> None:
    grid = grid_of(settings())
    center = settings().optimizer.lr_center
    rates = grid["lr"]
    assert list(grid) == ["lr"]
    assert len(rates) == 4
    assert rates[2] == pytest.approx(center, rel=0.02)
    assert all(high / low == pytest.approx(10**0.5, rel=0.06) for low, high in pairwise(rates))
    assert all(rate == float(f"{rate:.2g}") for rate in rates), "a chosen rate can be typed"


def test_a_typed_rate_is_never_tuned_and_other_keys_may_be() -> None:
    assert grid_of(settings("lr=0.003")) == {}
    assert grid_of(settings("lr=0.003", DECAYS)) == {"optimizer.weight_decay": (0.0, 0.01, 0.1)}
    assert list(grid_of(settings(DECAYS))) == ["lr", "optimizer.weight_decay"]


def test_a_typed_key_of_a_preset_is_not_tuned() -> None:
    assert list(grid_of(settings("tune=lr_wd"))) == ["lr", "optimizer.weight_decay"]
    assert list(grid_of(settings("tune=lr_wd", "optimizer.weight_decay=0.3"))) == ["lr"]
    # Another optimiser is no typed weight decay.
    assert len(grid_of(settings("tune=lr_wd", "optimizer=sgd"))) == 2


def test_the_candidates_are_all_combinations() -> None:
    candidates = candidates_of(grid_of(settings("tune=lr_wd")))
    assert len(candidates) == len({tuple(one.values()) for one in candidates}) == 12


def test_without_tuning_the_rate_is_the_middle_of_the_grid() -> None:
    plain = settings("tune=none")
    assert grid_of(plain) == {}
    assert (plain.lr, lr_from(plain)) == (plain.optimizer.lr_center, "typed")
    assert config_digest(plain) == config_digest(settings(f"lr={plain.optimizer.lr_center}"))


def test_a_strategys_rate_is_the_middle_of_its_grid_and_the_rate_itself_without_tuning() -> None:
    tuned = settings("strategy=small_similar")
    assert tuned.tune.center is not None
    assert grid_of(tuned)["lr"][2] == tuned.tune.center
    plain = settings("strategy=small_similar", "tune=none")
    assert plain.lr == tuned.tune.center
    assert lr_from(tuned) == "tuned"
    assert lr_from(plain) == "strategy"
    assert lr_from(settings("strategy=small_similar", "lr=1e-3")) == "typed"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["tune.over={lr: [0, 0.01]}"], "0.0: allowed is auto .* or a finite number above 0"),
        (["tune.over={lr: [-1, 0.01]}"], "-1.0: allowed is auto"),
        (["tune.over={lr: [0.01, 0.01]}"], "a value stands there twice"),
        (["tune.over={lr: [0.01]}"], "a list of two or more numbers"),
        (["tune.over={lr: fast}"], "a list of two or more numbers"),
        (["tune.over={optimizer.weight_decay: [-1, 0]}"], "greater than or equal to 0"),
        (["tune.over={optimizer.wd: [0, 1]}"], "optimizer.wd: .*there is no such key"),
        (["tune.over={nothing: [0, 1]}"], "there is no such key"),
        (["tune.over={optimizer.name: [0, 1]}"], "it is not a number"),
        (["tune.over={seed: [0, 1]}"], "sweep over it instead"),
        (["tune.over={epochs: [3, 6]}"], "sweep over it instead"),
        (["tune.over={data.fraction: [0.5, 1]}"], "sweep over it instead"),
        (["tune.over=7"], "a mapping of keys to lists"),
        ([DECAYS, "optimizer.weight_decay=0.1"], "is given a value and is in tune.over as well"),
        (["lr=0.01", "tune.over={lr: [0.01, 0.1]}"], "lr is given a value and is in tune.over"),
        (["lr=0"], "lr=0: allowed is auto"),
        (["lr=fast"], "lr=fast: allowed is auto"),
        (["tune.candidates=2"], "tune.candidates=2"),
        (["tune.step=1"], "tune.step=1"),
    ],
)
def test_what_cannot_be_tuned_is_refused_in_one_readable_error(
    overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(*overrides)


def test_values_are_set_where_their_keys_are_and_keep_their_type() -> None:
    given = settings("head=mlp")
    ready = with_values(given, {"lr": 0.01, "head.hidden": 64.0, "optimizer.weight_decay": 0.5})
    assert (ready.lr, ready.head.model_dump()["hidden"]) == (0.01, 64)
    assert ready.optimizer.weight_decay == 0.5
    assert with_values(given, {}) == given


def test_a_grid_is_widened_by_one_step() -> None:
    assert next_rate(0.005, upwards=True, step=10**0.5) == 0.016
    assert next_rate(0.0005, upwards=False, step=10**0.5) == 0.00016


def test_tuning_counts_in_a_jobs_digest_only_where_something_is_tuned() -> None:
    typed = config_digest(settings("lr=0.001"))
    assert config_digest(settings("lr=0.001", "tune=none")) == typed
    assert config_digest(settings("lr=0.001", "tune.candidates=7")) == typed
    assert config_digest(settings("lr=0.001", "optimizer.lr_center=1")) == typed
    tuned = config_digest(settings())
    assert tuned != typed
    assert config_digest(settings("tune.candidates=7")) != tuned
    assert config_digest(settings("optimizer.lr_center=0.001")) != tuned
    assert config_digest(settings("tune.seed=3")) != tuned


def test_the_seed_of_the_choice_is_the_given_one_or_each_its_own() -> None:
    assert on_tuning_seed(settings("seed=4", "tune.seed=1")).seed == 1
    assert on_tuning_seed(settings("seed=4", "tune.seed=1", "tune.each_seed=true")).seed == 4

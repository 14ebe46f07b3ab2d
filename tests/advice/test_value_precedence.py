"""Who wins: default, strategy, study, command line; through Hydra's own composition."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig

from frostline.advice.auto_strategy import launch_overrides, resolve_all
from frostline.config.read import settings_of
from frostline.config.recorded_config import recorded_settings
from frostline.config.schema import Settings
from frostline.config.value_origins import key_of, origins, origins_in_one_line, origins_of
from frostline.errors import ConfigError
from frostline.sweeps.plan import JobFacts, plan_job

CONF = Path(__file__).resolve().parents[2] / "conf"
FOUR = ("large_similar", "large_different", "small_similar", "small_different")


def settings(*overrides: str) -> Settings:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", overrides=list(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        return settings_of(config)


def by(made: Settings) -> dict[str, str]:
    return {key: entry["by"] for key, entry in origins_of(made).items()}


@pytest.mark.parametrize("name", FOUR)
def test_each_strategy_says_what_it_sets_and_why(name: str) -> None:
    made = settings(f"strategy={name}")
    assert made.strategy.name == name
    assert len(made.strategy.reason) > 40
    assert len(made.strategy.source) > 20
    set_by_it = {key for key, who in by(made).items() if who == "strategy"}
    assert {"freeze", "augment.name", "head.name", "head.pool", "schedule.name"} <= set_by_it
    # Where only a head trains, or trains first, the rates are tried around a higher one.
    assert ("tune.center" in set_by_it) == (name != "large_different")


def test_the_four_depths() -> None:
    assert [settings(f"strategy={name}").freeze for name in FOUR] == [-1, 0, "all", 2]


def test_what_is_typed_wins_scalars_and_groups() -> None:
    made = settings(
        "strategy=large_similar", "freeze=0", "head=mlp", "schedule.lr_factor=0.5", "augment=none"
    )
    assert (made.freeze, made.head.name, made.augment.name) == (0, "mlp", "none")
    schedule = made.schedule.model_dump()
    assert (schedule["name"], schedule["head_epochs"], schedule["lr_factor"]) == (
        "head_first",
        2,
        0.5,
    )
    who = by(made)
    assert {key for key, one in who.items() if one == "user"} == {
        "freeze",
        "augment.name",
        "schedule.lr_factor",
        *(key for key in who if key.startswith("head.")),
    }
    assert who["schedule.name"] == who["schedule.head_epochs"] == who["tune.center"] == "strategy"
    assert who["epochs"] == who["optimizer.weight_decay"] == "default"


def test_the_order_on_the_command_line_does_not_count() -> None:
    assert settings("freeze=0", "strategy=small_similar").freeze == 0


def test_a_study_wins_over_the_strategy_and_the_command_line_over_both() -> None:
    made = settings("+experiments=photographs", f"data.path={CONF}", "strategy=small_similar")
    assert (made.epochs, made.lr, made.tune.center) == (8, "auto", 5.0e-3)
    who = by(made)
    assert who["epochs"] == who["image_size"] == who["data.path"] == who["data.source"] == "user"
    assert who["freeze"] == "strategy"
    again = settings("+experiments=photographs", f"data.path={CONF}", "epochs=3")
    assert again.epochs == 3


def test_no_strategy_sets_nothing() -> None:
    assert set(by(settings()).values()) == {"default"}


def test_origins_in_one_line() -> None:
    line = origins_in_one_line(
        origins_of(settings("strategy=large_different", "augment=none", "head.dropout=0.1"))
    )
    assert line == (
        "user: augment, head.dropout; strategy: freeze, head.name, head.pool, schedule; "
        "the rest: defaults"
    )


def test_origins_by_value() -> None:
    values = {"lr": 1, "head.name": 2, "head.pool": 3, "header": 4}
    assert origins(values, typed=["head.pool"], by_strategy=["head", "lr"]) == {
        "lr": "strategy",
        "head.name": "strategy",
        "head.pool": "user",
        "header": "default",
    }


@pytest.mark.parametrize(
    ("text", "key"),
    [("lr=1", "lr"), ("+a.b=2", "a.b"), ("~mix", "mix"), ("augment@x=none", "augment")],
)
def test_keys_of_overrides(text: str, key: str) -> None:
    assert key_of(text) == key


def test_an_unknown_strategy_is_answered_with_those_there_are() -> None:
    from frostline.config.hydra_errors import explain_hydra_error

    with pytest.raises(Exception, match="small_simlar") as caught:
        settings("strategy=small_simlar")
    assert "did you mean small_similar?" in str(explain_hydra_error(caught.value))


def test_reasons_do_not_change_what_a_job_is_and_the_depth_is_the_number() -> None:
    facts = JobFacts("data", "splits", "", 100, 4, 5, 224, 3 * 2**20, "cpu 32-true", "torch 2.14")
    typed = settings("strategy=large_similar", "freeze=4")
    counted = settings("strategy=large_similar")
    one, other = plan_job(0, (), typed, facts), plan_job(1, (), counted, facts)
    assert counted.freeze == -1
    assert other.settings.freeze == 4
    assert one.digest == other.digest
    assert other.settings.run_name.endswith("freeze4-seed0")


def test_what_a_launcher_composes_again_is_what_was_planned() -> None:
    """The overrides that jobs get lead to the planned settings, and to who had set them."""
    overrides = ("strategy=auto", "freeze=-1", "lr=0.1")
    chosen = resolve_all(
        [(overrides, settings(*overrides))],
        lambda own: settings(*own),
        lambda asking: ["small_different"] * len(asking),
    )
    ((original, made),) = chosen
    assert original == overrides
    facts = JobFacts("data", "splits", "", 100, 4, 5, 224, 1, "cpu 32-true", "torch 2.14")
    job = plan_job(0, original, made, facts)
    again = settings(*launch_overrides(job.overrides, job.settings))
    assert again == job.settings
    assert (again.strategy.name, again.strategy.choice) == ("auto", "small_different")
    assert (again.freeze, again.lr, again.schedule.name) == (4, 0.1, "head_first")
    assert by(again)["freeze"] == by(again)["lr"] == "user"
    assert by(again)["schedule.name"] == "strategy"


def test_jobs_that_do_not_ask_are_left_alone() -> None:
    jobs = [(("strategy=none",), settings("strategy=none"))]
    assert (
        resolve_all(jobs, lambda _: pytest.fail("composed"), lambda _: pytest.fail("chose")) == jobs
    )


def test_a_recorded_run_with_a_strategy_can_be_read_again() -> None:
    made = settings("strategy=large_similar")
    assert recorded_settings(made.model_dump(mode="json")) == made


def test_auto_with_random_weights_is_refused() -> None:
    from frostline.advice.choose import measured_choice

    with pytest.raises(ConfigError, match="similarity to the pretraining has no meaning"):
        measured_choice(settings("strategy=auto", "weights=random"), on_progress=print)

"""What a job is recognised by: versions raised by hand, libraries, and the settings with effect."""

from dataclasses import replace
from importlib.metadata import version

import PIL
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from frostline.config import identity, versions
from frostline.config.identity import WITHOUT_EFFECT, config_digest, job_digest
from frostline.config.recorded_identity import FACT_TAGS, RecordedFacts
from frostline.config.versions import LIBRARIES, installed_libraries, library_changes
from tests.composed import settings

FACTS = RecordedFacts("data", "splits", "weights", "cpu 32-true", "torch 2.14")


def test_the_libraries_that_change_numbers_at_major_and_minor() -> None:
    entries = dict(entry.split(" ") for entry in installed_libraries().split(", "))
    assert tuple(entries) == LIBRARIES
    assert entries["torch"] == ".".join(version("torch").split(".")[:2])
    assert entries["pillow"] == ".".join(PIL.__version__.split(".")[:2])


@pytest.mark.parametrize(
    ("installed", "recorded"),
    [("11.3.0", "pillow 11.3"), ("9.5.0.post2", "pillow 9.5.post"), ("12.0", "pillow 12.0")],
)
def test_a_fork_of_pillow_is_another_library(
    monkeypatch: pytest.MonkeyPatch, installed: str, recorded: str
) -> None:
    monkeypatch.setattr(PIL, "__version__", installed)
    versions.installed_libraries.cache_clear()
    assert installed_libraries().split(", ")[0] == recorded
    versions.installed_libraries.cache_clear()


@pytest.mark.parametrize(
    ("then", "now", "changes"),
    [
        ("timm 1.0, torch 2.13", "timm 1.0, torch 2.14", ["torch was 2.13, is 2.14"]),
        (
            "timm 1.0, torch 2.13",
            "timm 1.1, torch 2.14",
            ["timm was 1.0, is 1.1", "torch was 2.13, is 2.14"],
        ),
        ("timm 1.0", "timm 1.0", []),
        ("", "timm 1.0", ["timm was not recorded, is 1.0"]),
    ],
)
def test_the_library_that_differs_is_named(then: str, now: str, changes: list[str]) -> None:
    assert library_changes(then, now) == changes


def test_a_raised_version_is_another_job_of_the_same_config(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = config_digest(settings()), job_digest(settings(), FACTS)
    monkeypatch.setattr(identity, "RESULTS_VERSION", identity.RESULTS_VERSION + 1)
    after = config_digest(settings()), job_digest(settings(), FACTS)
    assert before[0] == after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize("fact", FACT_TAGS)
def test_each_fact_tells_jobs_apart(fact: str) -> None:
    other = replace(FACTS, **{fact: "other"})
    assert job_digest(settings(), other) != job_digest(settings(), FACTS)


def test_the_device_counts_as_what_it_comes_to_and_not_as_it_was_typed() -> None:
    auto, cpu = settings("trainer=auto"), settings("trainer=cpu")
    assert job_digest(auto, FACTS) == job_digest(cpu, FACTS)
    assert config_digest(auto) != config_digest(cpu)
    assert job_digest(auto, replace(FACTS, numerics="cuda 32-true")) != job_digest(cpu, FACTS)


def test_settings_without_effect_exist() -> None:
    values = settings().model_dump()
    for key, inner in WITHOUT_EFFECT.items():
        assert key in values
        # Sources of data have different keys: `path` is one of a folder.
        if key != "data":
            assert (inner or set()) <= set(values[key] if inner else ())


def test_numerics_with_commas_are_one_value_on_a_command_line() -> None:
    text = "cuda bf16-mixed, TF32 off, deterministic where possible"
    (override,) = OverridesParser.create().parse_overrides([f"sweep.numerics='{text}'"])
    assert override.value() == text


def test_the_part_of_a_weights_file_belongs_to_the_identity() -> None:
    """Where it says nothing the digest is that of before the keys existed."""
    plain = settings().model_dump(mode="json")
    assert (plain["weights_key"], plain["weights_partial"]) == (None, False)
    values = identity._values(settings())
    assert not values.keys() & {"weights_key", "weights_partial"}
    unused = settings("weights_key=teacher", "weights_partial=true")
    assert job_digest(unused, FACTS) == job_digest(settings(), FACTS)
    base = settings().model_copy(update={"weights": "a.pth"})
    digests = {
        job_digest(base.model_copy(update=update), FACTS)
        for update in (
            {},
            {"weights_key": "teacher"},
            {"weights_key": "student"},
            {"weights_partial": True},
        )
    }
    assert len(digests) == 4


def test_colour_is_left_out_of_the_identity_and_other_channels_belong_to_it() -> None:
    """Digests of before there were others hold."""
    assert "in_chans" not in identity._values(settings())
    digests = {
        job_digest(settings(*words), FACTS)
        for words in ((), ("in_chans=3",), ("in_chans=1",), ("in_chans=5",))
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("words", "new"),
    [
        (("backbone=tresnet_m", "in_chans=1"), {"first_layer": "adapted place by place"}),
        (("backbone=tresnet_m",), {}),
        (("backbone=tresnet_m", "in_chans=1", "weights=random"), {}),
        (("backbone=resnet18", "in_chans=1"), {}),
    ],
)
def test_a_first_layer_that_is_adapted_otherwise_than_before_is_in_the_identity(
    words: tuple[str, ...], new: dict[str, str]
) -> None:
    values = identity._values(settings(*words))
    assert {k: values[k] for k in ("first_layer",) if k in values} == new


def test_weights_of_classes_over_several_processes_are_of_another_mean_than_before() -> None:
    ddp = ("trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu")
    for words, is_new in (
        (ddp, False),
        (("loss.class_weights=0.5",), False),
        ((*ddp, "loss.class_weights=0.5"), True),
    ):
        values = identity._values(settings(*words))["trainer"]
        assert ("weighted_mean" in values) is is_new

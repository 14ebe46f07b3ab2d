"""Every value of `freeze` has one spelling, whichever way it is typed."""

import pytest

from frostline.config.freeze_value import (
    checked_freeze,
    counted,
    depends_on_stages,
    listed_stages,
    name_of,
)
from frostline.config.identity import config_digest
from tests.composed import settings


@pytest.mark.parametrize(
    ("typed", "spelled"),
    [
        ("freeze=[4,3]", "[3,4]"),
        ("freeze=[3,3,4]", "[3,4]"),
        ("freeze='[ 4, 3 ]'", "[3,4]"),
        ("freeze=[1,2]", 2),
        ("freeze=[2,1]", 2),
        ("freeze=[1]", 1),
        ("freeze=[2]", "[2]"),
        ("freeze=[1,2,4]", "[1,2,4]"),
        ("freeze=Middle", "middle"),
        ("freeze=3", 3),
        ("freeze=all", "all"),
        ("freeze=layer3.2", "layer3.2"),
    ],
)
def test_one_spelling(typed: str, spelled: int | str) -> None:
    freeze = settings(typed).freeze
    assert (freeze, type(freeze)) == (spelled, type(spelled))
    assert checked_freeze(freeze) == spelled  # as it is read back from a recorded config


def test_the_same_stages_are_the_same_job() -> None:
    digest = {
        typed: config_digest(settings(f"freeze={typed}")) for typed in ("2", "[1,2]", "[2,1]")
    }
    assert len(set(digest.values())) == 1
    assert config_digest(settings("freeze=[4,3]")) == config_digest(settings("freeze=[3,4]"))
    assert config_digest(settings("freeze=[3,4]")) not in digest.values()


def test_what_depends_on_the_backbone_is_counted_from_the_image() -> None:
    assert counted(-1, 5) == 4
    assert counted("middle", 5) == "[2,3,4]"
    assert counted("middle", 3) == "[2]"
    assert [counted(freeze, 5) for freeze in (2, "all", "[3,4]", "layer3")] == [
        2, "all", "[3,4]", "layer3",
    ]  # fmt: skip
    assert [depends_on_stages(freeze) for freeze in (-1, "middle", 2, "[3,4]")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_lists_in_names() -> None:
    assert listed_stages("[3,4]") == (3, 4)
    assert listed_stages("layer3") is None
    assert (name_of("[3,4]"), name_of("all"), name_of(2)) == ("3+4", "all", "2")
    assert settings("backbone=vgg16", "freeze=[3,4]").run_name == "vgg16-freeze3+4-seed0"

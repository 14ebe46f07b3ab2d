"""The last lines of a sweep: commands that can be typed, and none that cannot work."""

from pathlib import Path

import pytest

from frostline.sweeps.farewell import ending, what_is_missing
from frostline.sweeps.launcher import _failed_heads
from frostline.sweeps.outcome import Outcome
from frostline.tracking.address import resolve_address
from frostline.training.task import against_divergence

DONE = Outcome("a", "net-seed0", "done", "1")
FAILED = Outcome("b", "net-seed0-lr=1e30", "failed", reason="diverged")
KILLED = Outcome("c", "net-seed1", "failed", was_killed=True)


def test_commands_only_where_there_is_a_result(tmp_path: Path) -> None:
    address = resolve_address("sqlite:///mlflow.db", tmp_path)
    some = "\n".join(ending("0123", [DONE, FAILED], address))
    none = "\n".join(ending("0123", [FAILED, KILLED], address))
    assert "python -m src.evaluate best:0123" in some
    assert "best:" not in none and "sweep 0123: no job has a result" in none


def test_a_folder_that_the_command_has_entered_is_named_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = resolve_address("sqlite:///mlflow.db", tmp_path)
    assert not any("cd " in line for line in ending("0123", [DONE], address))
    monkeypatch.setenv("FROSTLINE_ENTERED", "my demo")
    assert ending("0123", [DONE], address)[0] == "first, for what follows:  cd 'my demo'"


def test_what_failed_by_itself_is_not_promised_to_work_again() -> None:
    assert what_is_missing([DONE, KILLED], "CMD") == "run what is missing with:  CMD"
    assert what_is_missing([DONE, FAILED, FAILED], "CMD").splitlines() == [
        "net-seed0-lr=1e30 and 1 more will fail again unless what it failed of is changed, "
        "or left out",
        "run what is missing with:  CMD",
    ]


def test_failed_heads_are_named() -> None:
    assert _failed_heads([DONE]) is None
    assert _failed_heads([DONE, FAILED]) == "1 of 2 heads, net-seed0-lr=1e30: diverged"


def test_a_precision_that_is_there_already_is_no_advice() -> None:
    assert against_divergence("32-true") == "lower lr"
    assert against_divergence("16-mixed") == "lower lr, or use trainer.precision=32-true"

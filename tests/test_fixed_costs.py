"""The profile of fixed costs: what counts for which part."""

import pytest

from benchmarks.fixed_clock import Clock
from benchmarks.fixed_parts import JOB, SWEEP


def outer() -> str:
    return inner()


def inner() -> str:
    return "inner"


def test_the_time_of_a_part_within_a_part_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 1.0, 3.0, 10.0])
    monkeypatch.setattr("benchmarks.fixed_clock.time.perf_counter", lambda: next(moments))
    clock = Clock(lambda: 0.0)
    parts = {"all": [f"{__name__}:outer"], "part of it": [f"{__name__}:inner"]}
    with clock.watching(parts):
        assert outer() == "inner"
    assert outer.__name__ == "outer"
    assert {name: wall for name, (wall, _) in clock.spent.items()} == {
        "part of it": 2000.0,
        "all": 8000.0,
    }


def test_what_another_version_lacks_is_passed_over() -> None:
    clock = Clock()
    with clock.watching({"gone": [f"{__name__}:no_such_function", "no_such_module:thing"]}):
        pass
    assert clock.spent == {}


@pytest.mark.parametrize("parts", [JOB, SWEEP])
def test_every_part_has_a_function_of_this_version(parts: dict[str, tuple[str, ...]]) -> None:
    from benchmarks.fixed_clock import _found

    assert [name for name, targets in parts.items() if not any(map(_found, targets))] == []

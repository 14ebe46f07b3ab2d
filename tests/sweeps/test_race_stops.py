"""What ends a race before its time, as it ends a grid; and two races of the same jobs."""

import math
import time
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from frostline.config.search_settings import Budget
from frostline.sweeps.outcome import INPUTS_CHANGED, Outcome
from frostline.sweeps.plan import PlannedJob
from frostline.sweeps.race import Race
from frostline.sweeps.race_runs import end_dropped, known_runs
from frostline.tracking.records import DROPPED
from frostline.tracking.store import open_store
from tests.sweeps.test_race_rungs import job_of

WORDS = ("epochs=9", "search=race")


def race_of(
    jobs: Sequence[PlannedJob], came: Sequence[Outcome]
) -> tuple[list[list[str]], list[Outcome], str]:
    """Run a race whose launches come to known outcomes: what was launched, its end, what it said.

    Its store is a stand-in without runs: nothing is trained, so that nothing can be judged.
    """
    launched: list[list[str]] = []
    said: list[str] = []

    def launch(some: Sequence[PlannedJob], *_: object) -> list[Outcome]:
        launched.append([job.digest for job in some])
        return [outcome for outcome in came if outcome.digest in launched[-1]]

    store = SimpleNamespace(find_runs=lambda _: [])
    run = SimpleNamespace(log_dict=lambda *_: None)
    budget = Budget(seconds=math.inf, epochs=math.inf)
    race = Race(store, jobs, run, launch, budget=budget, begun_s=time.time(), say=said.append)  # type: ignore[arg-type]
    return launched, race.run(), said[-1]


def three(*words: str) -> list[PlannedJob]:
    return [
        job_of(*WORDS, *words, f"lr={lr}", n_train=3200, digest=digest)
        for digest, lr in (("a", 0.1), ("b", 0.2), ("c", 0.3))
    ]


def test_changed_inputs_stop_a_race_as_they_stop_a_grid() -> None:
    """Every further round would fail as well, and would throw one more cell out."""
    changed = Outcome("a", "one", "failed", reason="5 of 32 files differ", stops_sweep=True)
    rest = [Outcome.not_run(digest, digest, INPUTS_CHANGED) for digest in "bc"]
    launched, outcomes, said = race_of(three(), [changed, *rest])
    assert launched == [["a", "b", "c"]]
    assert {each.digest: each.state for each in outcomes} == {
        "a": "failed",
        "b": "not run",
        "c": "not run",
    }
    assert said == f"the race is not settled: {INPUTS_CHANGED}"


@pytest.mark.parametrize(("most", "rounds"), [("2", 2), ("null", 3)])
def test_failures_of_all_rounds_count_for_fail_fast(
    most: str, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each round one more fails; the judging, which has nothing to read, is left out."""
    monkeypatch.setattr(Race, "_judged", lambda *_: None)
    launches: list[int] = []
    jobs = three(f"fail_fast={most}")

    def launch(some: Sequence[PlannedJob], *_: object) -> list[Outcome]:
        launches.append(len(some))
        return [Outcome(some[0].digest, "one", "failed", reason="an error")]

    store = SimpleNamespace(find_runs=lambda _: [])
    run = SimpleNamespace(log_dict=lambda *_: None)
    budget = Budget(seconds=math.inf, epochs=math.inf)
    Race(store, jobs, run, launch, budget=budget, begun_s=0.0, say=lambda _: None).run()  # type: ignore[arg-type]
    assert launches == [3, 2, 1][:rounds]


def test_a_run_that_another_race_goes_on_with_is_not_ended(fresh_store_uri: str) -> None:
    store = open_store(fresh_store_uri, "raced")
    jobs = three()
    tags = {"frostline.kind": "job", "frostline.job_digest": "a"}
    run = store.start_run("one", tags)
    run.finish("SCHEDULED", "the race's next round")
    known = known_runs(store, jobs)
    other = open_store(fresh_store_uri, "raced").resume_run(run.run_id)
    end_dropped(store, jobs, known, "unlikely")
    assert store.get_run(run.run_id).status == "RUNNING"
    other.finish("SCHEDULED", "the race's next round")
    end_dropped(store, jobs, known, "unlikely")
    ended = store.get_run(run.run_id)
    assert (ended.status, ended.tags[DROPPED]) == ("FINISHED", "unlikely")

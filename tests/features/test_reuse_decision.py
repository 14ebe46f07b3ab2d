"""Which outputs are computed, and whether they are stored: pure functions."""

import numpy as np
import pytest

from frostline.backbones.split.program import (
    BoundaryTensor,
    Call,
    Program,
    ResultRef,
    continue_from,
)
from frostline.data.order import BatchRows, EpochSampler
from frostline.features.cost_model import Speeds, Work, decide_from_cost
from frostline.features.view_pairs import (
    as_pairs,
    count,
    missing_batches,
    needed_batches,
    pair_codes,
)

SPEEDS = Speeds(write=200e6, read_disk=500e6, read_memory=2e9)
ROOM = {"max_new_bytes": 10**12, "memory_bytes": 10**12}


def sampler(n: int, n_views: int, *, training: bool = True, first: int = 0) -> EpochSampler:
    rows = np.arange(first, first + n)
    return EpochSampler(rows, batch_size=8, seed=3, n_views=n_views, training=training)


@pytest.mark.parametrize("n_views", [1, 2, 8])
def test_every_draw_of_every_epoch_is_there_and_nothing_else(n_views: int) -> None:
    training, validation = sampler(30, n_views), sampler(9, 1, training=False, first=30)
    needed = needed_batches(training, 4, [validation])
    drawn: set[int] = set()
    for epoch in range(4):
        training.set_epoch(epoch)
        for batch in training:
            drawn |= set(pair_codes(batch.rows, batch.views).tolist())
    drawn |= set(pair_codes(np.arange(30, 39), np.zeros(9, dtype=int)).tolist())
    pairs = as_pairs(needed)
    codes = pair_codes(pairs[:, 0], pairs[:, 1]).tolist()
    assert len(codes) == len(set(codes)) == count(needed)
    assert set(codes) == drawn


def test_batches_of_the_first_epoch_stay_as_they_are() -> None:
    training = sampler(30, 2)
    needed = needed_batches(training, 3, [])
    training.set_epoch(0)
    for asked, computed in zip(training, needed, strict=False):
        assert np.array_equal(asked.rows, computed.rows)
        assert np.array_equal(asked.views, computed.views)


def test_sampler_keeps_its_epoch() -> None:
    training = sampler(10, 2)
    training.set_epoch(5)
    needed_batches(training, 3, [])
    assert training.epoch == 5


def test_missing_is_needed_without_stored() -> None:
    needed = [
        BatchRows(np.array([0, 1]), np.array([0, 0])),
        BatchRows(np.array([2]), np.array([1])),
    ]
    stored = pair_codes(np.array([1]), np.array([0]))
    missing = as_pairs(missing_batches(needed, stored)).tolist()
    assert sorted(missing) == [[0, 0], [2, 1]]


def work(**changes: float) -> Work:
    values = {"passes": 2000, "missing": 500, "jobs": 1, "prefix_s": 5e-3, "item_bytes": 800_000}
    return Work(**(values | changes))  # type: ignore[arg-type]


def test_storing_pays_where_computing_again_costs_more() -> None:
    decision = decide_from_cost(work(), SPEEDS, **ROOM)
    # 500 x (5 + 4 ms) to make, 2000 x 0.4 ms to read; 2000 x 5 ms otherwise.
    assert decision.reuse
    assert "about 5.3 s instead of 10 s" in decision.reason


def test_jobs_that_share_a_prefix_make_storing_pay() -> None:
    alone = decide_from_cost(work(passes=600), SPEEDS, **ROOM)
    assert not alone.reuse
    assert "600, " in alone.reason
    assert " jobs" not in alone.reason
    shared = decide_from_cost(work(passes=600, jobs=2), SPEEDS, **ROOM)
    assert shared.reuse
    assert "500 outputs to compute instead of 1,200 in 2 jobs" in shared.reason


def test_storing_does_not_pay_for_a_fast_accelerator_and_large_outputs() -> None:
    assert not decide_from_cost(work(prefix_s=5e-5), SPEEDS, **ROOM).reuse
    slow_transfer = decide_from_cost(
        Work(2000, 0, 1, 4.5e-4, 800_000, transfer_bytes_s=1e9), SPEEDS, **ROOM
    )
    assert not slow_transfer.reuse
    assert decide_from_cost(Work(2000, 0, 1, 4.5e-4, 800_000), SPEEDS, **ROOM).reuse


def test_other_jobs_of_the_sweep_count() -> None:
    once = work(passes=600, missing=500)
    assert not decide_from_cost(once, SPEEDS, **ROOM).reuse
    assert decide_from_cost(work(passes=600, missing=500, jobs=6), SPEEDS, **ROOM).reuse


def test_no_space_is_a_reason() -> None:
    decision = decide_from_cost(work(), SPEEDS, max_new_bytes=10**8, memory_bytes=10**12)
    assert not decision.reuse
    assert "381 MiB would be stored, and there is space for 95" in decision.reason


def test_what_remains_of_a_program() -> None:
    def add(a: int, b: int) -> int:
        return a + b

    calls = (
        Call("a", "function", add, (ResultRef("x"), 1), {}),
        Call("b", "function", add, (ResultRef("a"), 1), {}, drop=("a",)),
        Call("c", "function", add, (ResultRef("b"), ResultRef("b")), {}, drop=("b",)),
    )
    program = Program((BoundaryTensor("x", 1, ()),), calls, ResultRef("c"))
    rest = continue_from(program, (BoundaryTensor("b", 1, ()),))
    assert rest is not None
    assert [call.name for call in rest.calls] == ["c"]
    assert rest.calls[0].drop == ("b",)
    again = Call("d", "function", add, (ResultRef("c"), ResultRef("x")), {})
    skip = Program((BoundaryTensor("x", 1, ()),), (*calls, again), ResultRef("d"))
    assert continue_from(skip, (BoundaryTensor("b", 1, ()),)) is None, "the images are needed again"

"""The time left: right after the first epoch, whatever the start of a job took."""

from io import StringIO

import pytest
from rich.console import Console

from frostline.sweeps import progress
from frostline.sweeps.progress import SweepProgress

FIGURES = {"val/loss": 1.0}


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now_s)


class Job:
    """A job of epochs with steps of a second and a validation of a second."""

    def __init__(self, clock: Clock, shown: SweepProgress, *, loading_s: float, steps: int) -> None:
        self.clock, self.shown = clock, shown
        self.loading_s, self.steps = loading_s, steps

    def run(self, epochs: int, *, until: int, begin: int = 0) -> None:
        self.shown.start("a job")
        self.clock.now_s += self.loading_s
        for epoch in range(begin, until):
            for step in range(self.steps):
                self.clock.now_s += 1
                self._report(epoch, epochs, (step + 1) / self.steps, {})
            self.clock.now_s += 1
            self._report(epoch, epochs, 1.0, FIGURES)

    def _report(self, epoch: int, epochs: int, share: float, figures: dict[str, float]) -> None:
        done = (epoch + share) / epochs
        self.shown.event({"epoch": epoch + 1, "epochs": epochs, "done": done, "metrics": figures})


def left_s(text: str) -> int:
    minutes, seconds = text.strip().rpartition("left ")[2].split()[0].split(":")
    return 60 * int(minutes) + int(seconds)


@pytest.mark.parametrize("loading_s", [0, 20, 300])
@pytest.mark.parametrize("until", [1, 2, 4])
def test_what_comes_once_does_not_count_for_the_epochs_to_come(
    loading_s: float, until: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, out = Clock(monkeypatch), StringIO()
    with SweepProgress(1, Console(file=out)) as shown:
        Job(clock, shown, loading_s=loading_s, steps=10).run(5, until=until)
    assert left_s(out.getvalue()) == pytest.approx(11 * (5 - until), rel=0.05)


def test_a_resumed_job_has_the_pace_of_the_epochs_it_trains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, out = Clock(monkeypatch), StringIO()
    with SweepProgress(1, Console(file=out)) as shown:
        Job(clock, shown, loading_s=20, steps=10).run(10, begin=6, until=7)
    assert left_s(out.getvalue()) == pytest.approx(11 * 3, rel=0.05)


def test_jobs_to_come_take_as_long_as_this_one_and_later_as_those_that_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, out = Clock(monkeypatch), StringIO()
    with SweepProgress(3, Console(file=out)) as shown:
        job = Job(clock, shown, loading_s=20, steps=10)
        job.run(5, until=1)
        assert left_s(out.getvalue()) == pytest.approx(44 + 2 * 75, rel=0.05)


def test_a_job_that_ended_is_the_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, out = Clock(monkeypatch), StringIO()
    with SweepProgress(3, Console(file=out)) as shown:
        job = Job(clock, shown, loading_s=100, steps=10)
        job.run(5, until=5)
        shown.done(None)
        job.loading_s = 0
        job.run(5, until=1)
    assert left_s(out.getvalue()) == pytest.approx(44 + 155, rel=0.05)


def test_each_candidate_of_a_tuned_job_has_its_own_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, out = Clock(monkeypatch), StringIO()
    with SweepProgress(1, Console(file=out)) as shown:
        job = Job(clock, shown, loading_s=20, steps=10)
        job.run(5, until=2)
        for epoch in range(1):
            for step in range(10):
                clock.now_s += 2
                job._report(epoch, 5, (step + 1) / 10, {})
            clock.now_s += 2
            job._report(epoch, 5, 1.0, FIGURES)
    assert left_s(out.getvalue()) == pytest.approx(22 * 4, rel=0.05)


def test_heads_that_train_together_count_as_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with SweepProgress(8, Console(file=StringIO())) as shown:
        shown.start("heads", count=4)
        clock.now_s += 10
        shown._left(0.1)
        clock.now_s += 10
        # 8 s of these four, and four more at a quarter of 10 + 10 + 8 s each.
        assert shown._left(0.6) == "0:36"


def test_a_candidate_is_named_and_has_no_time_left() -> None:
    console = Console(file=StringIO(), width=200)
    with SweepProgress(total=1, console=console) as shown:
        shown.start("net")
        figures = {"metrics": {"val/loss": 0.5}, "epoch": 1, "epochs": 3, "done": 0.3}
        shown.event({**figures, "candidate": "lr=0.001"})
        shown.event(figures)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[1] == "[1/1] net  tuning lr=0.001  epoch 1/3  val/loss 0.500"
    assert lines[2].startswith("[1/1] net  epoch 1/3  val/loss 0.500  left ")


def test_while_a_later_job_is_tuned_the_jobs_before_it_tell_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, out = Clock(monkeypatch), StringIO()
    with SweepProgress(4, Console(file=out, width=200)) as shown:
        shown.start("one")
        clock.now_s += 60
        shown.done(None)
        shown.start("two")
        clock.now_s += 10
        figures = {"metrics": FIGURES, "epoch": 1, "epochs": 3, "done": 0.3}
        shown.event({**figures, "candidate": "lr=0.001"})
    assert left_s(out.getvalue()) == 50 + 2 * 60

"""Progress of running jobs: which job, which epoch, its figures, the time left."""

import sys
import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from frostline.sweeps.terminal import has_live_line

SHOWN = ("train/loss", "val/loss", "val/f1_macro", "val/acc_micro")


class SweepProgress:
    """Shows the jobs of a sweep as they run: a live line on a terminal, a line an epoch elsewhere.

    Args:
        total: Jobs that will run; None where others run elsewhere at the same time.
        console: Where to; standard error by default.
        first: The number of the first job.
        numbered: Whether each line names its job; a single run has one.
    """

    def __init__(
        self,
        total: int | None,
        console: Console | None = None,
        first: int = 1,
        *,
        numbered: bool = True,
    ) -> None:
        self.total = total
        self._numbered = numbered
        self.console = console or Console(file=sys.stderr, soft_wrap=True, highlight=False)
        self._index = first - 1
        self._count = 1
        self._name = ""
        self._begun = time.monotonic()
        self._job_begun = self._begun
        # Of the running job: when it first reported a share, which share, and the last one.
        self._first: tuple[float, float] | None = None
        self._last_done = 0.0
        self._ended_s: list[float] = []
        self._live: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if has_live_line(self.console):
            self._live = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[status]}"),
                console=self.console,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def start(self, name: str, *, count: int = 1) -> None:
        """A job begins, or a group of them."""
        self._index += self._count
        self._count = count
        self._name = name
        self._job_begun = time.monotonic()
        self._first, self._last_done = None, 0.0
        if self._live is not None:
            self._task = self._live.add_task(self._label(), total=1.0, status="loading")
        else:
            label = self._label() if self._numbered else name
            self.console.print(f"{label}  starts", markup=False)

    def event(self, message: dict[str, Any]) -> None:
        """A job reports progress: keys epoch, epochs, done, metrics; a group: done; or text.

        While it trains candidates, `candidate` says which one. How many more there are is not
        known, so the time left goes by the jobs that have ended, if there are any.
        """
        if "text" in message:
            self.console.print(f"{self._before()}{message['text']}", markup=False)
            return
        figures = message.get("metrics", {})
        status = f"epoch {message['epoch']}/{message['epochs']}  " if "epoch" in message else ""
        status += "  ".join(f"{name} {figures[name]:.3f}" for name in SHOWN if name in figures)
        if "candidate" in message:
            status = f"tuning {message['candidate']}  {status.rstrip()}"
            if self._ended_s:
                status += f"  left {self._left_by_others()}"
        else:
            status = f"{status.rstrip()}  left {self._left(message['done'])}"
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=message["done"], status=status)
        elif figures:
            self.console.print(f"{self._before()}{status}", markup=False)

    def done(self, failure: str | None, *, left: int = 0) -> None:
        """A job has ended, with a reason if it failed; `left` of a group are still to run."""
        seconds = time.monotonic() - self._job_begun
        if not failure and not left:
            self._ended_s += [seconds / self._count] * self._count
        if self._live is not None and self._task is not None:
            self._live.remove_task(self._task)
        end = f"failed: {failure}" if failure else f"done in {clock(seconds)}"
        if left:
            end = f"{left} of {self._count} run by themselves"
        self.console.print(f"{self._before()}{end}", markup=False)
        self._count -= left

    def _before(self) -> str:
        return f"{self._label()}  " if self._numbered else ""

    def _label(self) -> str:
        of = "" if self.total is None else f"/{self.total}"
        last = f"-{self._index + self._count - 1}" if self._count > 1 else ""
        return f"[{self._index}{last}{of}] {self._name}"

    def _left(self, done: float) -> str:
        """Time left for all jobs.

        The running one goes on at its pace since it first reported: what comes before (loading,
        decoding, the first step) comes once. Further jobs take as long as those that have ended,
        or else as this one.
        """
        now = time.monotonic()
        if self._first is None or done < self._last_done:  # tuning begins anew with each candidate
            self._first = now, done
        self._last_done = done
        since, reported = self._first
        passed = now - self._job_begun
        if done > reported:
            of_job = (1 - done) * (now - since) / (done - reported)
        elif done > 0:
            of_job = passed / done - passed
        else:
            return "?"
        each = self._usual_s if self._ended_s else (passed + of_job) / self._count
        return clock(of_job + self._to_come * each)

    def _left_by_others(self) -> str:
        """Time left for all jobs, if this one takes as long as those that have ended."""
        passed = time.monotonic() - self._job_begun
        of_job = max(0.0, self._count * self._usual_s - passed)
        return clock(of_job + self._to_come * self._usual_s)

    @property
    def _usual_s(self) -> float:
        """Mean of the jobs that have ended."""
        return sum(self._ended_s) / len(self._ended_s)

    @property
    def _to_come(self) -> int:
        """Jobs after the running ones."""
        return 0 if self.total is None else max(0, self.total - (self._index + self._count - 1))


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, seconds_ = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds_:02}" if hours else f"{minutes}:{seconds_:02}"

"""A race: the cells of a sweep in rounds, until one is settled, nothing is left, or a budget ends.

The first seed of every cell is trained to a share of its epochs, then further; after each round
`rounds.decide` says which cells go on. Those that reach their end get their further seeds one by
one. Rounds and decisions follow from the plan and from files of the runs alone: the same command,
given again, comes to the same decisions and goes on where it was.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from frostline.config.search_settings import Budget, RaceSearch
from frostline.errors import FrostlineError
from frostline.sweeps import workers
from frostline.sweeps.budget import deadline_of, epochs_to_end
from frostline.sweeps.estimate import first_rung
from frostline.sweeps.outcome import BUDGET_SPENT, INPUTS_CHANGED, Outcome
from frostline.sweeps.plan import PlannedJob
from frostline.sweeps.race_cells import cells_of, has_come, names_of
from frostline.sweeps.race_judge import Entrant, judge
from frostline.sweeps.race_record import Round, ended, ending, summary
from frostline.sweeps.race_rungs import name_of_round, pause_of, race_rungs
from frostline.sweeps.race_runs import Known, affordable, count_look, end_dropped, known_runs
from frostline.sweeps.rounds import Decision
from frostline.sweeps.worker_answer import Failure
from frostline.tracking.records import RACE_FILE

if TYPE_CHECKING:
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run

# Launches jobs up to some epoch, by a deadline; returns their outcomes.
Launch = Callable[[Sequence[PlannedJob], int | None, float | None], list[Outcome]]


class Race:
    """The state of a race; `run` carries it out.

    Args:
        store: Where runs are recorded.
        jobs: All jobs of the sweep, those that are finished included.
        run: The sweep's run.
        launch: Launches jobs.
        budget: Of the whole command.
        begun_s: When the command began, seconds since 1970.
        say: Prints a line.
        guess: Backbone to a first guess at its score, by which cells are ordered.
    """

    def __init__(
        self,
        store: "Store",
        jobs: Sequence[PlannedJob],
        run: "Run",
        launch: Launch,
        *,
        budget: Budget,
        begun_s: float,
        say: Callable[[str], None],
        guess: Mapping[str, float] | None = None,
    ) -> None:
        search = jobs[0].settings.search
        assert isinstance(search, RaceSearch)
        self._store, self._run, self._launch, self._say = store, run, launch, say
        self._rules, self._budget, self._begun_s = search, budget, begun_s
        self._guess = dict(guess or {})
        self._cells = cells_of(jobs, self._guess)
        self._names = names_of(self._cells)
        self._jobs = [job for each in self._cells.values() for job in each]
        self._rungs = race_rungs(search, [each[0] for each in self._cells.values()])
        self._known: Known = known_runs(store, self._jobs)
        self._outcomes: dict[str, Outcome] = {}
        self._spent_epochs = 0.0
        self._rounds: list[Round] = []
        self._out: dict[str, str] = {}
        # Whether the budget is too short to compare all cells before their end, is spent on jobs
        # that could begin, and whether its time is over, so that none can.
        self._is_short = self._is_spent = self._is_late = False
        # Why no further round begins, whatever is left: changed inputs, or `fail_fast`.
        self._stopped = ""
        self._share = 1.0 - search.finish_frac
        self._decision: Decision | None = None

    def run(self) -> list[Outcome]:
        """Carry out the race; the outcomes of the jobs that it launched or leaves."""
        settled = ""
        for rung in self._rungs:
            if not self._is_short:
                self._round([jobs[0] for jobs in self._alive().values()], rung, n_seeds=1)
        if self._is_short:
            self._finish_highest()
            for rung in self._rungs:
                self._round([jobs[0] for jobs in self._alive().values()], rung, n_seeds=1)
        most = max(len(jobs) for jobs in self._cells.values())
        for n_seeds in range(2, most + 1):
            settled = settled or self._settled()
            if settled or self._is_spent or self._stopped:
                break
            ready = [jobs[n_seeds - 1] for jobs in self._alive().values() if len(jobs) >= n_seeds]
            self._round(ready, None, n_seeds=n_seeds)
        settled = settled or self._settled()
        self._record(settled)
        self._say(ending(settled, self._why_open()))
        why = f"the race was settled: {settled}" if settled else self._why_open()
        return ended(
            self._cells, self._known, self._outcomes, self._out, why, stopped=bool(self._stopped)
        )

    def _alive(self) -> dict[str, list[PlannedJob]]:
        return {cell: jobs for cell, jobs in self._cells.items() if cell not in self._out}

    def _round(self, jobs: Sequence[PlannedJob], until: int | None, *, n_seeds: int) -> None:
        """Launch what has not come so far, judge, record the decision, and only then act on it."""
        if self._is_spent or self._stopped:
            return
        begun_s = time.time()
        name = name_of_round(until, n_seeds)
        is_whole = self._start(name, jobs, until, 1.0 if until is None else self._share)
        one = Round(name, seconds=time.time() - begun_s)
        self._rounds.append(one)
        self._known = known_runs(self._store, self._jobs)
        if self._stopped or (not is_whole and not self._is_short):
            return
        decision = self._judged(until, n_seeds)
        if decision is None:
            return
        one.judged = {self._names[cell]: vars(judged) for cell, judged in decision.judged.items()}
        if not is_whole:
            # What was not looked at cannot be behind.
            return
        one.dropped = {self._names[cell]: reason for cell, reason in decision.dropped.items()}
        self._record("")
        for cell, reason in decision.dropped.items():
            self._out[cell] = f"{reason} after {name}"
            end_dropped(self._store, self._cells[cell], self._known, self._out[cell])
        if n_seeds > 1:
            count_look(self._store, self._run, self._known, self._rules.score)
        self._say(summary(one, len(self._alive())))

    def _finish_highest(self) -> None:
        """Train cells to their end, the highest so far first, as far as the budget goes."""
        judged = {} if self._decision is None else self._decision.judged
        self._decision, self._is_short, self._share = None, False, 1.0
        first = {cell: jobs[0] for cell, jobs in self._alive().items() if cell in judged}
        order = [
            cell
            for cell in sorted(first, key=lambda cell: -judged[cell].score)
            if not has_come(self._known.get(first[cell].digest), None)
        ]
        if not order:
            return
        self._say(
            f"round {len(self._rounds) + 1}: the budget is short, so that half-trained cells are "
            "compared no further; the highest are trained to their end, one after the other"
        )
        begun_s = time.time()
        for cell in order:
            if not self._is_late and not self._stopped:
                self._start("", [first[cell]], None)
                self._known = known_runs(self._store, self._jobs)
        self._rounds.append(Round("the highest, to the end", seconds=time.time() - begun_s))
        decision = self._judged(None, 1)
        if decision is not None:
            self._rounds[-1].judged = {
                self._names[cell]: vars(judged) for cell, judged in decision.judged.items()
            }

    def _start(
        self, name: str, jobs: Sequence[PlannedJob], until: int | None, share: float = 1.0
    ) -> bool:
        """Launch the jobs of a round that are not as far, as many as the budget lets begin.

        Args:
            name: Of the round; empty where it has been said.
            jobs: Those of its cells.
            until: Where they pause; None for their end.
            share: Of the budget that may be spent when the round ends.

        Returns:
            Whether the budget was enough for all of them.
        """
        known = self._known
        pauses = {job.digest: pause_of(job, until, self._rungs) for job in jobs}
        todo = [
            (job, pauses[job.digest])
            for job in jobs
            if not has_come(known.get(job.digest), pauses[job.digest])
        ]
        may_spend = share * self._budget.epochs
        if share < 1 and todo:
            # Looks leave enough to train one of the cells to its end.
            one = min(epochs_to_end(job, pause) for job, pause in todo)
            may_spend = min(may_spend, self._budget.epochs - one)
        able, spent = affordable(todo, known, may_spend - self._spent_epochs)
        self._spent_epochs += spent
        if able and name:
            self._say(f"round {len(self._rounds) + 1}: {name}, {len(able)} jobs")
        # Together, those that pause at the same place: most often all of them.
        deadline = deadline_of(self._budget, self._begun_s, share)
        is_over = len(able) < len(todo)
        for pause in dict.fromkeys(pauses[job.digest] for job in able):
            part = [job for job in able if pauses[job.digest] == pause]
            for outcome in self._launch(part, pause, deadline):
                self._outcomes[outcome.digest] = outcome
                self._is_late |= outcome.reason == BUDGET_SPENT
                is_over |= outcome.reason == BUDGET_SPENT
                if outcome.state == "failed":
                    self._out[self._cell_of(outcome.digest)] = f"failed: {outcome.reason}"
            self._stopped = self._why_stopped()
            if self._stopped:
                return False
        self._is_short |= is_over and share < 1
        self._is_spent |= is_over and share >= 1
        return not is_over

    def _why_stopped(self) -> str:
        """Why the sweep must not go on, as a grid would not; empty as long as it may."""
        outcomes = self._outcomes.values()
        if any(outcome.stops_sweep or outcome.reason == INPUTS_CHANGED for outcome in outcomes):
            return INPUTS_CHANGED
        failed = sum(outcome.state == "failed" for outcome in outcomes)
        most = self._jobs[0].settings.fail_fast
        return "" if most is None or failed < most else f"the sweep stopped after {failed} failures"

    def _judged(self, until: int | None, n_seeds: int) -> Decision | None:
        known = self._known
        entrants = [
            Entrant(
                cell,
                str(job.settings.seed),
                known[job.digest].run_id,
                until,
                job.settings.epochs,
                first_rung(job),
                known[job.digest].metrics.get("time/alone_s", math.nan),
            )
            for cell, jobs in self._alive().items()
            for job in jobs[:n_seeds]
            if job.digest in known
        ]
        more = any(len(jobs) > n_seeds for jobs in self._alive().values())
        decision = workers.call(judge, self._jobs[0].settings, entrants, self._rules, more)
        if isinstance(decision, Failure):
            raise decision.error or FrostlineError(decision.reason, todo=decision.trace)
        assert decision is None or isinstance(decision, Decision)
        self._decision = decision
        return decision

    def _cell_of(self, digest: str) -> str:
        return next(
            cell for cell, jobs in self._cells.items() if any(job.digest == digest for job in jobs)
        )

    def _settled(self) -> str:
        """Why nothing more needs to run; empty as long as that is not so."""
        decision = self._decision
        if decision is None or not decision.settled:
            return ""
        take = decision.judged[decision.recommended]
        if len(decision.judged) == 1:
            return f"{self._names[decision.recommended]} is the only cell that is left"
        return (
            f"{self._names[decision.recommended]} is {100 * take.in_reach:.0f} % likely to lie "
            f"within {100 * self._rules.tolerance:g} points of the best of {len(decision.judged)} "
            "that were left"
        )

    def _why_open(self) -> str:
        if self._stopped:
            return self._stopped
        if self._is_spent:
            begun = {self._cell_of(digest) for digest in self._known}
            new = len(self._cells) - len(begun)
            of_them = f", {new} of them not begun" if new else ""
            return f"the budget is spent, and {len(self._alive())} cells are left{of_them}"
        most = max(len(jobs) for jobs in self._cells.values())
        if most == 1:
            return "one seed says nothing about others; give further ones, such as seed=0,1,2"
        return f"all {most} seeds are trained, and {len(self._alive())} cells are left"

    def _record(self, settled: str) -> None:
        self._run.log_dict(
            {
                "rounds": [vars(one) for one in self._rounds],
                "out": {self._names[cell]: reason for cell, reason in self._out.items()},
                "settled": settled,
                "is_spent": self._is_spent and not settled,
                "open": "" if settled else self._why_open(),
                "spent_s": round(time.time() - self._begun_s, 1),
                "rules": self._rules.model_dump(),
                "first_guess": self._guess,
            },
            RACE_FILE,
        )

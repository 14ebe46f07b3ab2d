"""How the jobs of a sweep are searched: all of them to their end, or as a race; under a budget."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from frostline.config.search_settings import FIRST_LOOK, Budget, RaceSearch
from frostline.sweeps import workers
from frostline.sweeps.budget import deadline_of
from frostline.sweeps.first_guess import can_guess, guess, guess_line
from frostline.sweeps.outcome import Outcome
from frostline.sweeps.plan import PlannedJob
from frostline.sweeps.progress import clock
from frostline.sweeps.race_cells import cells_of
from frostline.sweeps.race_rungs import race_rungs
from frostline.sweeps.worker_answer import Failure

if TYPE_CHECKING:
    from frostline.sweeps.race import Launch
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run


@dataclass(frozen=True)
class Search:
    """What the command asks for besides its jobs.

    Attributes:
        budget: Of the command.
        begun_s: When it began, seconds since 1970.
        console: For lines about a race.
    """

    budget: Budget
    begun_s: float
    console: Console

    def lines(self, jobs: Sequence[PlannedJob]) -> list[str]:
        """What the plan says of it; nothing of a grid without a budget."""
        search = jobs[0].settings.search
        lines = []
        if isinstance(search, RaceSearch):
            cells = cells_of(jobs)
            epochs = max(job.settings.epochs for job in jobs)
            rungs = race_rungs(search, [own[0] for own in cells.values()])
            look = "at one rate, " if FIRST_LOOK in rungs else ""
            after = ", ".join(str(rung or epochs) for rung in rungs if rung != FIRST_LOOK)
            seeds = max(len(own) for own in cells.values())
            lines.append(
                f"  race: {len(cells)} cells; the first seed is compared {look}after epochs "
                f"{after}, then seeds one by one up to {seeds}; cells unlikely to be chosen are "
                "dropped"
            )
        if not math.isinf(self.budget.seconds):
            lines.append(f"  budget: {clock(self.budget.seconds)} for the whole command")
        elif not self.budget.is_none:
            lines.append(f"  budget: {self.budget.epochs:g} epochs")
        return lines

    def carry_out(
        self,
        store: "Store",
        run: "Run",
        jobs: Sequence[PlannedJob],
        todo: Sequence[PlannedJob],
        launch: "Launch",
    ) -> list[Outcome]:
        """Launch jobs, all at once or in the rounds of a race.

        Args:
            store: Where runs are recorded.
            run: The sweep's.
            jobs: All jobs.
            todo: Those that no finished run answers.
            launch: Launches jobs.

        Returns:
            The outcomes of jobs that came back, or that a race leaves.
        """
        if not isinstance(jobs[0].settings.search, RaceSearch):
            return launch(todo, None, deadline_of(self.budget, self.begun_s)) if todo else []
        from frostline.sweeps.race import Race

        def say(text: str) -> None:
            self.console.print(text, markup=False)

        race = Race(
            store,
            jobs,
            run,
            launch,
            budget=self.budget,
            begun_s=self.begun_s,
            say=say,
            guess=self._first_guess(jobs, say),
        )
        return race.run()

    def _first_guess(
        self, jobs: Sequence[PlannedJob], say: Callable[[str], None]
    ) -> dict[str, float]:
        """What orders the cells; without a budget all of them are looked at in any order."""
        firsts = [own[0].settings for own in cells_of(jobs).values()]
        if self.budget.is_none or not can_guess(firsts):
            return {}

        def progress(message: dict[str, Any]) -> None:
            say(str(message["text"]))

        found = workers.call(guess, firsts, on_event=progress)
        if isinstance(found, Failure):
            found = found.reason
        say(guess_line(found))
        return found if isinstance(found, dict) else {}

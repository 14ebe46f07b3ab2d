"""Where the runs of a race pause: the epochs after which its first seeds are compared.

Nothing can be said of a run before it has made some steps (`candidate.first_part`), so no rung lies
before that. Where cells choose their rates, all of them train one candidate so far first: a first
look at every cell costs a fraction of the choice of any.
"""

from collections.abc import Sequence

from frostline.config.search_settings import FIRST_LOOK, RaceSearch
from frostline.sweeps.budget import looks_first
from frostline.sweeps.estimate import first_rung
from frostline.sweeps.plan import PlannedJob


def race_rungs(rules: RaceSearch, firsts: Sequence[PlannedJob]) -> list[int | None]:
    """The rounds of the first seeds.

    Args:
        rules: Of the race.
        firsts: The first job of each cell.

    Returns:
        Epochs, each larger than the one before, after FIRST_LOOK if there is one; None is the end.
    """
    most = max(job.settings.epochs for job in firsts)
    least = max(first_rung(job) for job in firsts)
    rungs = sorted({max(rung, least) for rung in rules.rungs_of(most)[:-1]})
    rungs = [rung for rung in rungs if rung < most]
    has_look = bool(rungs) and any(looks_first(job) for job in firsts)
    return [*([FIRST_LOOK] if has_look else []), *rungs, None]


def pause_of(job: PlannedJob, until: int | None, rungs: Sequence[int | None]) -> int | None:
    """Where a job pauses in a round: in the first one, a job that chooses nothing at its rung.

    Args:
        job: The job.
        until: The round's rung.
        rungs: All of them.
    """
    return rungs[1] if until == FIRST_LOOK and not looks_first(job) else until


def name_of_round(until: int | None, n_seeds: int) -> str:
    """Such as `first seed, epoch 2`."""
    if until == FIRST_LOOK:
        return "first seed, a first look at one rate"
    seeds = "first seed" if n_seeds == 1 else f"{n_seeds} seeds"
    return f"{seeds}, to the end" if until is None else f"{seeds}, epoch {until}"

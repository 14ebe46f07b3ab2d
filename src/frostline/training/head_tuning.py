"""Tuning where only a head trains: the whole grid at once, each candidate to its end.

A head on stored features costs next to nothing, so nothing has to be judged early. A linear head
is solved exactly as well. Another one, since a few epochs are a few hundred steps at most, is
trained again with longer schedules, as long as that lowers the validation loss. The table of both
ways is in docs/tuning.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from frostline.config.schema import Settings
from frostline.config.tune_grid import candidates_of, grid_of, solves_head, with_values
from frostline.running_time import running_s
from frostline.training.candidate import Candidate
from frostline.training.exact_head import Solution
from frostline.training.head_pool import TrainedHead
from frostline.training.head_training import HeadResult
from frostline.training.tuning import chosen_from, epochs_text
from frostline.training.tuning_choice import Tuning

# A schedule twice as long has to lower the validation loss by this share to be doubled again.
WORTH = 0.01


class Pool(Protocol):
    """Trains and solves heads: frostline.training.head_pool.HeadPool."""

    @property
    def features_s(self) -> float: ...  # noqa: D102
    def train(self, jobs: Sequence[Settings]) -> Sequence[TrainedHead]: ...  # noqa: D102
    def solve(self, job: Settings) -> Sequence[tuple[Solution, TrainedHead]] | None: ...  # noqa: D102


def tune_heads(
    job: Settings, pool: Pool, *, on_progress: Callable[..., None]
) -> tuple[Tuning, TrainedHead]:
    """Choose a job's values, and how long its head trains, or how strongly it is penalised.

    Args:
        job: With the seed on which is chosen.
        pool: Trains heads together.
        on_progress: Receives `text=`.

    Returns:
        The choice, and the chosen head as it was trained.

    Raises:
        AllDivergedError: If no candidate has a finite loss.
    """
    grid = grid_of(job)
    tried: list[Candidate] = []
    heads: dict[int, TrainedHead] = {}
    best: list[Tuning] = []
    length = job.epochs

    def attempt_all(values: Sequence[dict[str, float]]) -> list[Candidate]:
        begun_s, features_s = running_s(), pool.features_s
        trained = pool.train(
            [with_values(job, each).model_copy(update={"epochs": length}) for each in values]
        )
        # All heads of the group read the features, so they are no candidate's cost.
        own_s = running_s() - begun_s - (pool.features_s - features_s)
        seconds = own_s / len(values)
        made = [
            _candidate(each, head.result, length, seconds)
            for each, head in zip(values, trained, strict=True)
        ]
        tried.extend(made)
        heads.update({id(each): head for each, head in zip(made, trained, strict=True)})
        return made

    values = candidates_of(grid)
    solved = pool.solve(job) if solves_head(job) else None
    while True:
        choice = chosen_from(job, grid, attempt_all(values), lambda one: attempt_all([one])[0])
        best.append(choice)
        on_progress(text=f"tuning, {epochs_text(length)}: {_text(choice.best)}")
        if solved or not is_worth_more([each.best.loss for each in best]):
            break
        if 2 * length > job.tune.head_epochs_factor * job.epochs:
            break
        length *= 2
    chosen = min(best, key=lambda each: each.best.loss)
    winner, edges = chosen.best, chosen.at_edge
    if solved:
        # The rate that would be best for training stays recorded beside the solution.
        for solution, head in solved:
            tried.append(_of_solution(winner.values, solution, head))
            heads[id(tried[-1])] = replace(head, settings=with_values(job, winner.values))
        exact = min(tried[-len(solved) :], key=lambda each: each.loss)
        on_progress(text=f"tuning: {_text(exact)}")
        if exact.loss < winner.loss:
            winner, edges = exact, ()
    return Tuning(tried, _place(tried, winner), job.seed, edges), heads[id(winner)]


def is_worth_more(losses: Sequence[float]) -> bool:
    """Whether a schedule twice as long may lower the validation loss still.

    Args:
        losses: The lowest validation loss at each length so far, the shortest first.
    """
    return len(losses) < 2 or losses[-1] < (1 - WORTH) * losses[-2]


def _candidate(
    values: dict[str, float], head: HeadResult, length: int, seconds: float
) -> Candidate:
    return Candidate(
        values,
        "diverged" if head.diverged else "trained",
        dict(enumerate(head.history)),
        seconds,
        length=length,
    )


def _of_solution(values: dict[str, float], solution: Solution, head: TrainedHead) -> Candidate:
    return Candidate(
        dict(values),
        "trained",
        dict(enumerate(head.result.history)),
        solution.seconds,
        l2=solution.strength,
    )


def _place(candidates: Sequence[Candidate], wanted: Candidate) -> int:
    return next(place for place, each in enumerate(candidates) if each is wanted)


def _text(candidate: Candidate) -> str:
    return f"{candidate.label}, loss {candidate.loss:.4f}"

"""Tuning where only a head trains: the whole grid at once, each candidate to its end.

A head on stored features costs next to nothing, so nothing has to be judged early. And since a few
epochs are a few hundred steps at most, the whole grid is trained again with longer schedules, as
long as that lowers the validation loss.
"""

import time
from collections.abc import Callable, Sequence

from frostline.config.schema import Settings
from frostline.config.tune_grid import candidates_of, grid_of, with_values
from frostline.training.candidate import Candidate
from frostline.training.head_pool import TrainedHead
from frostline.training.head_training import HeadResult
from frostline.training.tuning import Tuning, chosen_from

# A schedule twice as long has to lower the validation loss by this share to be doubled again.
WORTH = 0.01
Train = Callable[[Sequence[Settings]], Sequence[TrainedHead]]


def tune_heads(
    job: Settings, train: Train, *, on_progress: Callable[..., None]
) -> tuple[Tuning, TrainedHead]:
    """Choose a job's values, and how long its head trains.

    Args:
        job: With the seed on which is chosen.
        train: Trains heads together.
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
        begun_s = time.monotonic()
        trained = train(
            [with_values(job, each).model_copy(update={"epochs": length}) for each in values]
        )
        seconds = (time.monotonic() - begun_s) / len(values)
        made = [
            _candidate(each, head.result, length, seconds)
            for each, head in zip(values, trained, strict=True)
        ]
        tried.extend(made)
        heads.update({id(each): head for each, head in zip(made, trained, strict=True)})
        return made

    values = candidates_of(grid)
    while True:
        choice = chosen_from(job, grid, attempt_all(values), lambda one: attempt_all([one])[0])
        best.append(choice)
        on_progress(text=f"tuning, {length} epochs: {_text(choice.best)}")
        if not is_worth_more([each.best.loss for each in best]):
            break
        if 2 * length > job.tune.head_epochs_factor * job.epochs:
            break
        length *= 2
    chosen = min(best, key=lambda each: each.best.loss)
    tuning = Tuning(tried, tried.index(chosen.best), job.seed, chosen.at_edge)
    return tuning, heads[id(chosen.best)]


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


def _text(candidate: Candidate) -> str:
    return f"{candidate.label}, val/loss {candidate.loss:.4f}"

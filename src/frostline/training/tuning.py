"""Tuning: a job's candidates train the first part of the schedule, and the best one is chosen.

The state is in files, written after every epoch, so that an interrupted tuning goes on where it
was. The chosen candidate keeps its checkpoint, from which the run itself continues.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from frostline.config.schema import Settings
from frostline.config.tune_grid import LR, Grid, candidates_of, grid_of, next_rate, with_values
from frostline.files import replacing, sealed, unsealed
from frostline.running_time import running_s
from frostline.training.candidate import (
    LOSS,
    SCALED_LOSS,
    Candidate,
    best_of,
    closest,
    is_hopeless,
    more_epochs,
)
from frostline.training.task import TrainingDivergedError
from frostline.training.tuning_choice import Tuning

# Trains one candidate to the end of an epoch: settings, its folder, that epoch, and what receives
# the metrics of each epoch. Returns the number of classes.
Train = Callable[[Settings, Path, int, Callable[[Mapping[str, float], int], None]], int]


class AllDivergedError(TrainingDivergedError):
    """No candidate of a tuned job has a finite loss."""


def tune(
    settings: Settings,
    folder: Path,
    train: Train,
    *,
    until: int,
    on_progress: Callable[..., None],
) -> Tuning:
    """Train all candidates of a job equally far and choose the best; go on if it was interrupted.

    Args:
        settings: The job, with the seed on which is chosen.
        folder: Where candidates keep their checkpoints, and where the choice is saved.
        train: Trains one of them.
        until: Epochs that each trains; the two best more, where their losses are close.
        on_progress: Receives `text=`.

    Raises:
        AllDivergedError: If no candidate has a finite loss.
    """
    grid = grid_of(settings)
    candidates: list[Candidate] = []
    trained: list[Candidate] = []

    def attempt(values: dict[str, float]) -> Candidate:
        candidate = _train(settings, folder, Candidate(values), train, until)
        trained.append(candidate)
        on_progress(text=f"tuning, candidate {len(trained)}: {_text(candidate)}")
        _keep_checkpoints(folder, trained, closest(trained))
        return candidate

    for values in candidates_of(grid):
        if trained and is_hopeless(trained[-1], trained[:-1]):
            candidates.append(Candidate(values, "left out"))
        else:
            candidates.append(attempt(values))
    tuning = chosen_from(settings, grid, candidates, attempt)
    finalists = closest(tuning.candidates)
    further = min(
        until + more_epochs(settings.epochs, share=settings.tune.first_frac), settings.epochs
    )
    if len(finalists) > 1 and further > until:
        for candidate in finalists:
            _train(settings, folder, candidate, train, further)
            on_progress(text=f"tuning, {epochs_text(further)}: {_text(candidate)}")
        winner = finalists[_best_place(finalists)]
        place = next(n for n, each in enumerate(tuning.candidates) if each is winner)
        tuning = replace(tuning, chosen=place, at_edge=_edges(tuning.candidates, winner))
    tuning.save(folder)
    _keep_checkpoints(folder, tuning.candidates, [tuning.best])
    return tuning


def train_middle(settings: Settings, folder: Path, train: Train, *, until: int) -> Candidate:
    """Train the candidate in the middle of the grid alone: `tune` goes on with it, if it comes.

    Args:
        settings: As for `tune`.
        folder: As there.
        train: As there.
        until: As there.
    """
    values = candidates_of(grid_of(settings))
    return _train(settings, folder, Candidate(values[len(values) // 2]), train, until)


def chosen_from(
    settings: Settings,
    grid: Grid,
    candidates: list[Candidate],
    attempt: Callable[[dict[str, float]], Candidate],
) -> Tuning:
    """Choose the best candidate, with one rate more where it is the last of the grid.

    Args:
        settings: The job.
        grid: What the candidates were made from.
        candidates: All of them, trained; one may be added.
        attempt: Trains one more with the given values.

    Raises:
        AllDivergedError: If no candidate has a finite loss.
    """
    place = _best_place(candidates)
    values = candidates[place].values
    if settings.tune.values_of.get(LR) == "auto" and _is_end(grid, LR, values):
        upwards = values[LR] == grid[LR][-1]
        further = next_rate(values[LR], upwards=upwards, step=settings.tune.step)
        candidates.append(attempt(values | {LR: further}))
        candidates.sort(key=lambda each: list(each.values.values()))
        place = _best_place(candidates)
    return Tuning(candidates, place, settings.seed, _edges(candidates, candidates[place]))


def candidate_folder(folder: Path, values: Mapping[str, float]) -> Path:
    """Where a candidate keeps its checkpoints."""
    return folder / "_".join(f"{key}={value:g}" for key, value in values.items())


def _best_place(candidates: Sequence[Candidate]) -> int:
    place = best_of(candidates)
    if place is None:
        tried = "; ".join(candidate.label for candidate in candidates)
        raise AllDivergedError(
            f"the loss of every candidate became infinite or NaN: {tried}",
            todo="give lower values, such as tune.center=1e-5, or type lr=NUMBER; if low rates "
            "diverge as well, look at the images and weights, or use trainer.precision=32-true",
        )
    return place


def _keep_checkpoints(
    folder: Path, candidates: Sequence[Candidate], kept: Sequence[Candidate]
) -> None:
    """Remove the checkpoints of all candidates but those that may go on."""
    for candidate in candidates:
        if not any(candidate is each for each in kept):
            own = candidate_folder(folder, candidate.values)
            for file in (*own.glob("*.ckpt"), *own.glob("*.ckpt.*")):
                file.unlink(missing_ok=True)


def _is_end(grid: Grid, key: str, values: Mapping[str, float]) -> bool:
    """Whether a value is the lowest or highest of its key."""
    return values[key] in (grid[key][0], grid[key][-1])


def _edges(candidates: Sequence[Candidate], chosen: Candidate) -> tuple[str, ...]:
    """The keys of which the chosen value is the lowest or highest that was tried."""
    return tuple(
        key
        for key, value in chosen.values.items()
        if value in {pick(each.values[key] for each in candidates) for pick in (min, max)}
    )


def _train(
    settings: Settings, folder: Path, candidate: Candidate, train: Train, until: int
) -> Candidate:
    """Train one candidate, or go on with it, or read what it came to."""
    own = candidate_folder(folder, candidate.values)
    file = own / "curve.json"
    known = _read(file)
    if known is not None:
        vars(candidate).update(vars(known))
    if candidate.state == "diverged" or (
        candidate.state == "trained" and len(candidate.epochs) >= until
    ):
        return candidate
    own.mkdir(parents=True, exist_ok=True)

    def on_epoch(metrics: Mapping[str, float], epoch: int) -> None:
        candidate.epochs.setdefault(epoch, {}).update(metrics)
        if LOSS in metrics:
            _write(file, candidate)

    begun_s = running_s()
    try:
        classes = train(with_values(settings, candidate.values), own, until, on_epoch)
        candidate.state, candidate.chance_loss = "trained", math.log(classes)
    except TrainingDivergedError:
        candidate.state = "diverged"
    candidate.seconds += running_s() - begun_s
    _write(file, candidate)
    return candidate


def _read(file: Path) -> Candidate | None:
    try:
        content: dict[str, Any] = json.loads(unsealed(file.read_text()))
        return Candidate.from_plain(content)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(file: Path, candidate: Candidate) -> None:
    with replacing(file) as temporary:
        temporary.write_text(sealed(json.dumps(candidate.plain())))


def epochs_text(count: int) -> str:
    """Such as `1 epoch`."""
    return f"{count} epoch{'' if count == 1 else 's'}"


def _text(candidate: Candidate) -> str:
    if candidate.state == "diverged":
        return f"{candidate.label} diverged"
    # Not the validation loss of the epoch's line, which is of probabilities as they are.
    what = "calibrated loss" if SCALED_LOSS in candidate.epochs[max(candidate.epochs)] else "loss"
    return f"{candidate.label}, {what} {candidate.loss:.4f}"

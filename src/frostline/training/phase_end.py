"""Where phases end that last until validation is no better: a pure function of the scores.

The scores of all epochs are in the checkpoints, so a resumed run ends its phases where an
undisturbed one does. Epochs that a phase leaves go to the last one: the run has as many as any
other, and the curve of its learning rate stays where it is.
"""

from collections.abc import Sequence
from dataclasses import replace

from frostline.training.schedule import Phase


def phases_after(
    phases: Sequence[Phase], scores: Sequence[float], *, patience_epochs: int | None, mode: str
) -> tuple[Phase, ...]:
    """The phases of a run as far as its scores say; the rest is as planned.

    A phase counts from its own first epoch, as if it were a training of its own: what it starts
    with may be worse than what the phase before reached.

    Args:
        phases: As planned, each as long as it may be.
        scores: The monitored metric of each epoch so far.
        patience_epochs: A phase ends after so many epochs in a row that were no better than the
            best of it before; None if all have fixed lengths.
        mode: `max` or `min`.
    """
    if patience_epochs is None:
        return tuple(phases)
    found = []
    first = 0
    for phase in phases[:-1]:
        own = scores[first : first + phase.epochs]
        epochs = _epochs_to_end(own, patience_epochs=patience_epochs, mode=mode) or phase.epochs
        found.append(replace(phase, first_epoch=first, epochs=epochs))
        first += epochs
    return (*found, replace(phases[-1], first_epoch=first, epochs=phases[-1].end - first))


def cut_short(phases: Sequence[Phase], epochs_done: int, *, until: int) -> tuple[Phase, ...]:
    """The phases of a training that has ended, where early stopping ended its last phase, too.

    Args:
        phases: From `phases_after`.
        epochs_done: Epochs that were trained.
        until: Epochs that were to be trained.
    """
    last = phases[-1]
    if epochs_done >= until:
        return tuple(phases)
    ended = replace(last, epochs=epochs_done - last.first_epoch, most=last.epochs)
    return (*phases[:-1], ended)


def _epochs_to_end(scores: Sequence[float], *, patience_epochs: int, mode: str) -> int | None:
    """After how many epochs patience ran out; None if it did not."""
    best = None
    waited = 0
    for epochs, score in enumerate(scores, 1):
        if best is None or (score > best if mode == "max" else score < best):
            best, waited = score, 0
        else:
            waited += 1
        if waited >= patience_epochs:
            return epochs
    return None

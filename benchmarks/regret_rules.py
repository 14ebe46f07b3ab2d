"""Rules that choose a learning rate: pure functions of the candidates' curves.

A rule gets each candidate's epochs (rows of `regret_rows.FIGURES`) and returns the place of the
one it chooses. The product's own rule fits in as one more entry of `RULES`.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from benchmarks.regret_rows import JUDGED
from frostline.training.candidate import Candidate

Curve = Sequence[Sequence[float]]
Rule = Callable[[Sequence[Curve]], int]
_LOSS, _F1 = 1, 3  # places in FIGURES
# Steps of the rate, 5e-4 being 0, as conf/tune/lr.yaml and conf/optimizer/adamw.yaml have them; one
# more where the first or last one wins.
CANDIDATES = (-1, 0, 1, 2)


def loss_after(epochs: int) -> Rule:
    """The lowest validation loss after so many epochs."""

    def rule(curves: Sequence[Curve]) -> int:
        return _first_min([_at(curve, epochs, _LOSS) for curve in curves])

    return rule


def f1_after(epochs: int) -> Rule:
    """The best macro F1 on validation after so many epochs; of equal ones the lowest loss."""

    def rule(curves: Sequence[Curve]) -> int:
        return _first_min(
            [(-_at(c, epochs, _F1, -math.inf), _at(c, epochs, _LOSS)) for c in curves]
        )

    return rule


def successive(curves: Sequence[Curve]) -> int:
    """All for one epoch, the two with the lowest validation loss for another."""
    losses = [_at(curve, 1, _LOSS) for curve in curves]
    two = sorted(range(len(curves)), key=losses.__getitem__)[:2]
    return min(two, key=lambda place: _at(curves[place], 2, _LOSS))


def scaled_after(epochs: int) -> Rule:
    """The lowest loss at the best temperature after so many epochs."""
    return lambda curves: _first_min([_candidate(curve[:epochs]).loss for curve in curves])


def _candidate(curve: Curve) -> Candidate:
    return Candidate(
        {}, "trained", {n: dict(zip(JUDGED, epoch, strict=False)) for n, epoch in enumerate(curve)}
    )


def lowest_loss(curves: Sequence[Curve]) -> int:
    """The lowest validation loss of any epoch, once all are trained."""
    return _first_min([min((e[_LOSS] for e in c), default=math.inf) for c in curves])


def best_f1(curves: Sequence[Curve]) -> int:
    """The best validation score of any epoch, which is what a cell is judged by."""
    return _first_min(
        [min(((-e[_F1], e[_LOSS]) for e in c), default=(math.inf, math.inf)) for c in curves]
    )


# These sets have up to ten steps an epoch, so candidates are judged after the second one.
PRODUCT = "scaled loss, epoch 2"
# Of those that see the first epochs alone.
EARLY: dict[str, Rule] = {
    PRODUCT: scaled_after(2),
    "scaled loss, epoch 1": scaled_after(1),
    "loss, epoch 1": loss_after(1),
    "loss, epoch 2": loss_after(2),
    "successive": successive,
    "F1, epoch 1": f1_after(1),
    "F1, epoch 2": f1_after(2),
}
FINAL: dict[str, Rule] = {"loss, any epoch": lowest_loss, "F1, any epoch": best_f1}
RULES = EARLY | FINAL


def chosen(rule: Rule, curves: Mapping[int, Curve]) -> tuple[int, int | None]:
    """Choose among the candidates, widened by one rate where the first or last of them wins.

    Args:
        rule: The rule.
        curves: Step to curve, of all candidates.

    Returns:
        The step that is chosen, and a step whose curve is missing for that, if one is.
    """
    steps = [step for step in CANDIDATES if step in curves]
    best = steps[rule([curves[step] for step in steps])]
    if CANDIDATES[0] < best < CANDIDATES[-1]:
        return best, None
    edge = best + 1 if best == CANDIDATES[-1] else best - 1
    if edge not in curves:
        return best, edge
    steps = sorted([*steps, edge])
    return steps[rule([curves[step] for step in steps])], None


def _at(curve: Curve, epochs: int, place: int, absent: float = math.inf) -> float:
    """A figure after so many epochs; of a run that diverged before, the worst there is."""
    value = curve[epochs - 1][place] if len(curve) >= epochs else absent
    return value if math.isfinite(value) else absent


def _first_min(values: Sequence[float] | Sequence[tuple[float, float]]) -> int:
    return min(range(len(values)), key=lambda place: values[place])

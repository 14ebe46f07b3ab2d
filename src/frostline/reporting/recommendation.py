"""Why this configuration: expected loss, chance, cost, and what its neighbours save and lose."""

import numpy as np

from frostline.reporting.number_text import amount, points, seconds, whole_percent
from frostline.stats.cell import ALONE_S, TUNE_S
from frostline.stats.judged_cell import SAME_COST, Row
from frostline.stats.verdict import Verdict


def recommendation_lines(verdict: Verdict) -> list[str]:
    """Sentences on the recommended configuration beside the others; none without predictions."""
    take = verdict.recommended
    if take.loss is None or len(verdict.rows) == 1:
        return []
    what = "trained models" if verdict.is_of_models else "configurations"
    shown = list({row.cell.name: row for row in (take, verdict.likeliest, verdict.top)}.values())
    losses = "; ".join(_loss_text(row) for row in shown)
    lines = [
        f"Expected loss, the mean distance below the best of these {what} over all that the runs "
        f"leave open: {losses}."
    ]
    unsure = [row.cell.name for row in verdict.rows if row.loss is None]
    if unsure:
        lines.append(
            f"{len(unsure)} of {len(verdict.rows)} have no expected loss, as their predictions "
            "were not read, and cannot be recommended."
        )
    neighbours = [text for text in (_better(verdict), _cheaper(verdict)) if text]
    if neighbours:
        lines.append(" ".join(neighbours))
    return lines


def why_not_first(verdict: Verdict | None, run_id: str) -> str:
    """Why the run with the highest score is of another configuration; empty where it is not."""
    rows = [] if verdict is None else list(verdict.rows)
    first = next((row for row in rows if run_id in row.cell.run_ids.values()), None)
    if verdict is None or first is None or first is verdict.recommended:
        return ""
    take = verdict.recommended
    opening = f"The table begins with a run of {first.cell.name}, not of {take.cell.name}: "
    if first.loss is None or take.loss is None:
        return opening + "a single run's score is no configuration's."
    if first.loss > take.loss:
        return opening + (
            f"by all seeds and images that has the larger expected loss, {points(first.loss)} "
            f"against {points(take.loss)}."
        )
    more = points(take.loss - first.loss)
    return opening + f"{more} more expected loss is within the tolerance, and it costs less."


def cost_of(row: Row) -> float:
    """What a configuration is chosen by: seconds of a run trained alone; NaN if unknown."""
    return row.cell.alone_s


def cheaper_neighbour(verdict: Verdict) -> Row | None:
    """Of the clearly cheaper rows the one of smallest expected loss."""
    own = cost_of(verdict.recommended)
    able = [r for r in verdict.rows if r.loss is not None and cost_of(r) * SAME_COST < own]
    return min(able, key=lambda row: row.loss or 0.0, default=None)


def _loss_text(row: Row) -> str:
    assert row.loss is not None
    assert row.chance is not None
    return f"{row.cell.name} {points(row.loss)} ({chance_text(row.chance)} likely to be the best)"


def chance_text(chance: float) -> str:
    """A chance in whole percent, never certain."""
    if chance < 0.01:
        return "under 1 %"
    return "over 99 %" if chance > 0.99 else whole_percent(round(chance, 2))


def _better(verdict: Verdict) -> str:
    take, better = verdict.recommended, verdict.likeliest
    if better is take or take.loss is None or better.loss is None:
        return ""
    gain = f"{better.cell.name} is expected to be better by {points(take.loss - better.loss)}"
    own, other = cost_of(take), cost_of(better)
    if np.isfinite(own) and np.isfinite(other):
        return f"{gain}, and takes {seconds(other)} a run instead of {seconds(own)}{_how(take)}."
    own, other = (row.cell.number("trainable_params") for row in (take, better))
    if np.isfinite(own) and np.isfinite(other):
        return f"{gain}, and trains {amount(other)} parameters instead of {amount(own)}."
    return f"{gain}; no costs are recorded for both."


def _cheaper(verdict: Verdict) -> str:
    take, cheaper = verdict.recommended, cheaper_neighbour(verdict)
    if cheaper is None or take.loss is None or cheaper.loss is None:
        return ""
    more = cheaper.loss - take.loss
    return (
        f"{cheaper.cell.name} takes {seconds(cost_of(cheaper))} instead of "
        f"{seconds(cost_of(take))}, and is expected to be worse by {points(more)}."
    )


def _how(row: Row) -> str:
    """What the seconds contain."""
    parts = []
    if row.cell.values(TUNE_S):
        parts.append("tuning included")
    if row.cell.values(ALONE_S):
        parts.append("trained alone")
    return f" ({', '.join(parts)})" if parts else ""

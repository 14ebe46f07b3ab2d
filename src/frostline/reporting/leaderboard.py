"""The leaderboard, and its configurations against the top in detail."""

from collections.abc import Mapping, Sequence

from frostline.reporting.cell_predictions import HeldOutResult
from frostline.reporting.cell_rates import CellRate
from frostline.reporting.cost_figures import LATENCY_MS
from frostline.reporting.tables import Column, Table, Value
from frostline.reporting.trained_enough import Training
from frostline.stats.folds import word_for
from frostline.stats.judged_cell import Row
from frostline.stats.rules import SCORES, SHORT_SCORE_NAMES
from frostline.stats.verdict import Verdict

STANDING_TEXTS = {
    "top": "highest",
    "alike": "as good in practice",
    "open": "cannot be distinguished",
    "behind": "lower, not proven",
    "worse": "worse",
    "one seed": "one seed, not tested",
    "lone class": "hangs on classes of one group",
    "not tested": "not tested",
}


def leaderboard(
    verdict: Verdict,
    held_out: HeldOutResult,
    rates: Mapping[str, CellRate],
    trained: Mapping[str, Training],
) -> Table:
    """All configurations, best on validation first.

    Args:
        verdict: What is concluded about each.
        held_out: The recommended cell on the test images.
        rates: Name of a cell to its learning rate.
        trained: Name of a cell to how far it was trained.
    """
    score = verdict.rules.score
    short = SHORT_SCORE_NAMES[score]
    others = [name for name in SCORES if name != score]
    level = f"{100 * verdict.rules.level:g} %"
    repeats = word_for(verdict.top.cell.run_ids)
    columns = [
        Column("configuration"),
        Column("verdict"),
        Column("chance of being best", "percent"),
        Column("expected loss, points", "percent"),
        Column("a run alone", "seconds"),
        Column(f"val {short} %", "percent"),
        Column(f"low {level}", "percent"),
        Column(f"high {level}", "percent"),
        Column(f"test {short} %", "percent"),
        Column(repeats, "count"),
        Column(f"sd of {repeats}", "percent"),
        Column("finished learning"),
        Column("learning rate", "number"),
        Column("rate from", is_detail=True),
        Column("also tuned", is_detail=True),
        Column("from top, points", "points", is_detail=True),
        Column("low", "points", is_detail=True),
        Column("high", "points", is_detail=True),
        Column("p (Holm)", "p", is_detail=True),
        *(Column(f"val {SHORT_SCORE_NAMES[name]} %", "percent", is_detail=True) for name in others),
        Column("test not used for choosing", is_detail=True),
        Column("paid for a run", "seconds", is_detail=True),
        Column("trained parameters", "count", is_detail=True),
        Column("latency, ms", "number", is_detail=True),
    ]
    rows = [_leader(row, verdict, others, held_out, rates, trained) for row in verdict.rows]
    marked = frozenset(k for k, row in enumerate(verdict.rows) if row is verdict.recommended)
    return Table("leaderboard", "Leaderboard", columns, rows, marked).without_empty_columns()


def comparisons(verdict: Verdict) -> Table | None:
    """Each tested configuration against the top, in detail."""
    repeats = word_for(verdict.top.cell.run_ids)
    columns = [
        Column("configuration"),
        Column(f"{repeats} shared", "count"),
        Column(f"images (once a {repeats[:-1]})", "count"),
        Column("groups", "count"),
        Column("only the top right", "count"),
        Column("only this right", "count"),
        Column("difference, points", "points"),
        Column("low", "points"),
        Column("high", "points"),
        Column("p", "p"),
        Column("p (Holm)", "p"),
        Column("test"),
    ]
    rows: list[list[Value]] = []
    for row in verdict.rows:
        c = row.comparison
        if c is not None:
            repeat = word_for(row.cell.run_ids).removesuffix("s")
            test = "McNemar, exact below 25" if c.exact else f"t, by group and {repeat}"
            test += ", of these models on other images" if c.is_of_models else ""
            rows.append(
                [
                    *(row.cell.name, c.spread.n_seeds, c.n_items, c.spread.n_groups),
                    *(c.only_top, c.only_other, c.difference.value, *c.interval),
                    *(c.p, None if c.is_of_models else c.p_holm, test),
                ]
            )
    if not rows:
        return None
    title = f"Against {verdict.top.cell.name}, on the same validation images"
    return Table("comparisons", title, columns, rows, folded=True)


def _leader(
    row: Row,
    verdict: Verdict,
    others: Sequence[str],
    held_out: HeldOutResult,
    rates: Mapping[str, CellRate],
    trained: Mapping[str, Training],
) -> list[Value]:
    low, high = row.interval or (row.seeds.low, row.seeds.high)
    c = row.comparison
    is_recommended = row is verdict.recommended
    test = held_out.value if is_recommended else row.cell.mean(f"test/{verdict.rules.score}")
    verdict_text = "recommended" if is_recommended else STANDING_TEXTS[row.standing]
    if is_recommended and row.standing != "top":
        verdict_text += f", {STANDING_TEXTS[row.standing]}"
    rate = rates.get(row.cell.name)
    return [
        row.cell.name,
        verdict_text,
        row.chance,
        row.loss,
        row.cell.alone_s,
        row.value,
        low,
        high,
        test,
        len(row.cell.run_ids),
        row.seeds.sd,
        trained[row.cell.name].finished if row.cell.name in trained else None,
        *_rate_values(rate),
        None if c is None else c.difference.value,
        *((None, None) if c is None else c.interval),
        None if c is None or c.is_of_models else c.p_holm,
        *(row.cell.mean(f"val_best/{name}") for name in others),
        "for the choice made" if is_recommended else "not used",
        row.cell.paid_s,
        row.cell.number("trainable_params"),
        row.cell.mean(LATENCY_MS),
    ]


def _rate_values(rate: CellRate | None) -> list[Value]:
    """The rate, where it comes from, and what else was tuned."""
    if rate is None or rate.value is None:
        return [None, None, None]
    also = ", ".join(f"{key}={value}" for key, value in rate.also.items())
    # The grid's best rate had no effect on a head that was solved.
    return ["solved" if rate.is_solved else rate.value, rate.origin, also or None]

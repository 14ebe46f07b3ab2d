"""The report's sections in order, each with its notes, figures and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from frostline.reporting.cell_predictions import HeldOutResult
from frostline.reporting.cell_rates import TUNED_NOTE, CellRate
from frostline.reporting.class_details import class_section
from frostline.reporting.cost_figures import cost_figures
from frostline.reporting.depth_figures import depth_figure, heat_figure
from frostline.reporting.leaderboard import comparisons, leaderboard
from frostline.reporting.learning_curves import curve_figures
from frostline.reporting.more_photos import more_photos_section
from frostline.reporting.next_steps import NextSteps
from frostline.reporting.number_text import whole_percent
from frostline.reporting.page import Section
from frostline.reporting.race_section import race_section
from frostline.reporting.run_tables import cost_table, left_out_table, method_table
from frostline.reporting.select import Selection
from frostline.reporting.swept_effects import effects_section
from frostline.reporting.trained_enough import Training, training_table
from frostline.reporting.tuning_figure import tuning_section
from frostline.reporting.typed_rates import AT_BEST_RATE, rates_section
from frostline.stats.folds import are_folds, word_for
from frostline.stats.rules import SCORE_NAMES
from frostline.stats.verdict import Verdict
from frostline.tracking.records import RunRecord
from frostline.tracking.run_contents import Source


def report_sections(
    verdict: Verdict | None,
    selection: Selection,
    held_out: HeldOutResult,
    rates: Mapping[str, CellRate],
    trained: Mapping[str, Training],
    further: NextSteps,
    race: Mapping[str, Any],
    source: Source,
    records: Sequence[RunRecord],
    sweep: RunRecord | None,
) -> list[Section]:
    """All sections of a report.

    Args:
        verdict: None if there is nothing to compare; then only what was left out is shown.
        selection: What is compared and what is not.
        held_out: The recommended cell on the test images.
        rates: Name of a cell to its learning rate.
        trained: Name of a cell to how far it was trained.
        further: What to run next.
        race: The record of the race, from `read_race`; empty without one.
        source: Where curves and predictions come from.
        records: All runs, those that are left out included.
        sweep: The sweep's run.
    """
    left_out = _left_out_section(selection)
    if verdict is None:
        return [left_out]
    at_best = [AT_BEST_RATE] if selection.tried else []
    return [
        _leaderboard_section(verdict, held_out, rates, trained, at_best),
        *_next_section(further),
        *more_photos_section(verdict, selection, source),
        *race_section(race),
        Section("depth-section", "Freeze depth", at_best, [depth_figure(verdict)]),
        Section("heat-section", "Backbone by depth", at_best, [heat_figure(verdict)]),
        *rates_section(verdict, selection),
        *tuning_section(verdict, source),
        _cost_section(verdict),
        effects_section(verdict, selection),
        _curves_section(verdict, trained, source, at_best),
        class_section(verdict, source),
        Section(
            "cost",
            "What it took",
            [
                "Training times hold for the machine and for what ran beside it. They include what "
                "was spent on values that were tried and not chosen. What was paid for a run is "
                "its share where several were trained together. What a run takes alone is in the "
                "column beside it, and by that configurations are chosen. Stored features that "
                "were there before the sweep are in neither."
            ],
            tables=[cost_table(verdict)],
        ),
        left_out,
        Section(
            "method",
            "How it was done",
            _method_notes(verdict),
            tables=[method_table(verdict, selection, records, sweep)],
        ),
    ]


def _left_out_section(selection: Selection) -> Section:
    title = "What failed"
    if not selection.left_out:
        return Section("failed", title, ["Nothing failed, and no run was left out."])
    return Section("failed", title, tables=[left_out_table(selection)])


def _leaderboard_section(
    verdict: Verdict,
    held_out: HeldOutResult,
    rates: Mapping[str, CellRate],
    trained: Mapping[str, Training],
    at_best: Sequence[str],
) -> Section:
    level = whole_percent(verdict.rules.level)
    repeats = word_for(verdict.top.cell.run_ids)
    note = (
        f"Best on validation first; the score is {SCORE_NAMES[verdict.rules.score]}. Intervals "
        f"({level}) cover other images and, with several {repeats}, other {repeats}; that of the "
        "highest is corrected for its having been picked, the others are each for itself. "
        f"Differences are on the same images and {repeats}, and their intervals are for each pair "
        "alone. Expected loss and the chance of being the best are relative to all configurations "
        "with predictions. Test figures of configurations that were not recommended are shown for "
        "completeness and were not used for choosing."
    )
    notes = [note, *at_best]
    if any("tuned" in rate.origin for rate in rates.values()):
        notes.append(TUNED_NOTE)
    tables = [leaderboard(verdict, held_out, rates, trained)]
    against_top = comparisons(verdict)
    if against_top is not None:
        tables.append(against_top)
    return Section("leaders", "Leaderboard", notes, tables=tables)


def _next_section(further: NextSteps) -> list[Section]:
    if further.table is None:
        return []
    note = (
        "What the expected loss of the choice falls by, on average, if these seeds are added, by "
        "how much seeds and images differ here. Only plans that no cheaper one beats."
    )
    return [Section("next", "What next", [note], tables=[further.table])]


def _cost_section(verdict: Verdict) -> Section:
    figures, missing = cost_figures(verdict)
    notes = [f"Not recorded with these runs: {', '.join(missing)}."] if missing else []
    return Section("tradeoff", "Score against cost", notes, figures)


def _curves_section(
    verdict: Verdict, trained: Mapping[str, Training], source: Source, at_best: Sequence[str]
) -> Section:
    figures = curve_figures(verdict, source)
    notes = at_best if figures else ["No values by epoch are recorded."]
    tables = [training_table(trained)] if trained else []
    return Section("learning", "Learning curves", notes, figures, tables)


_FOLDS_NOTE = (
    "The runs are folds of one data set: each image is a validation image of one fold, and "
    "configurations are compared on it by the models that did not train on it. As folds share "
    "training images, the variance over J folds counts (1 / J + n_val / n_train) times, not 1 / J "
    "(Nadeau and Bengio, 2003).",
)


def _method_notes(verdict: Verdict) -> list[str]:
    rules = verdict.rules
    keys = verdict.top.cell.run_ids
    repeats = word_for(keys)
    alike = "the seed or the fold" if are_folds(keys) else "the seed"
    return [
        f"Runs that differ in nothing but {alike} form one configuration. It is scored on the "
        f"validation images of each of its {repeats}; groups of images (photos of one leaf) count "
        f"as one observation. The variance of a mean is what the groups contribute, plus what "
        f"{repeats} add beyond that; that is estimated together with the other configurations, as "
        "far as these agree. Intervals are t intervals (Wilson's, with an effective sample size, "
        "for single configurations; that of the highest is the hybrid interval for winners of "
        "Andrews, Kitagawa and McCloskey, 2024).",
        *(_FOLDS_NOTE if are_folds(keys) else ()),
        f"Differences from the top are tested on the same images and {repeats}, and corrected by "
        f"Holm for all {verdict.family_size:,} pairs, as the top was found by looking at the same "
        f"figures, and for the number of looks: look k spends 1 / (k (k + 1)) of the "
        f"{100 * (1 - rules.level):g} % of sweeps that may make a wrong claim. Differences whose "
        f"interval lies within {100 * rules.equivalence:g} points do not matter.",
        "Expected losses are means over a posterior: scores with their joint error, and true "
        "scores that lie normally around a common mean, as far apart as the sweep says. "
        "Recommended is the cheapest configuration, trained alone, whose expected loss is at most "
        f"{100 * rules.tolerance:g} points above the smallest (of those within 10 % of its cost, "
        "the one of smallest loss).",
    ]

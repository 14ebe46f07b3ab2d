"""Does the corpus say what to try first? Rules, judged with one data set left out.

python -m experiments.tools.corpus_prior      # the table in docs/corpus.md, and what advise reads

A case is a question of the corpus with one backbone and recipe, at three depths or more, the rate
chosen by each cell. A rule sees the cases of the other data sets and names a depth; its regret is
the test F1 of what the sweep takes (highest on validation) minus that of the depth it names, both
means over seeds, in points. Each data set counts alike. `python -m experiments.tools.corpus` calls
this whenever it has written the corpus.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev

from scipy import stats

from experiments.tools.corpus_file import CELL, CORPUS, ROOT, Row, cells, questions, read_corpus
from experiments.tools.markers import fill
from frostline.advice.prior import (
    CONSTANT,
    PRIOR,
    RULES,
    Case,
    DataFeatures,
    Judged,
    Prior,
    Regrets,
    constant,
)

PAGE = ROOT / "docs" / "corpus.md"
MARKERS = ("<!-- prior: begin -->", "<!-- prior: end -->")
LEAST_DEPTHS, LEAST_SETS = 3, 3
LEVEL = 0.95
ALL = "all"
Rule = Callable[[Sequence[Case], DataFeatures], Regrets]

CONSTANTS: dict[str, Rule] = {
    CONSTANT: lambda cases, _: constant(cases),
    "always all": lambda *_: {ALL: 0.0},
    "always 0": lambda *_: {"0": 0.0},
}


def cases_of(rows: Sequence[Row]) -> list[Case]:
    """The cases of a corpus: pretrained weights, tuned rates, without folds."""
    usable = [
        row
        for row in rows
        if row["weights"] == "pretrained" and row["lr_from"] == "tuned" and not row["data_folds"]
    ]
    return [
        case
        for question in questions(usable)
        for alike in _by_all_but_depth(question)
        if (case := _case(alike)) is not None
    ]


def judged_rules(cases: Sequence[Case]) -> list[Judged]:
    """Each rule's regrets with one data set left out, and its gain over the constant choice."""
    rules = CONSTANTS | RULES
    regrets = {name: regrets_by_set(cases, rule) for name, rule in rules.items()}
    return [_judged(name, own, regrets[CONSTANT]) for name, own in regrets.items()]


def regrets_by_set(cases: Sequence[Case], rule: Rule) -> dict[str, float]:
    """Mean regret on each data set, by a rule that has not seen it."""
    found: dict[str, float] = {}
    for data in sorted({case.data for case in cases}):
        others = [case for case in cases if case.data != data]
        found[data] = fmean(
            _regret(rule(others, case.features), case) for case in cases if case.data == data
        )
    return found


def prior_of(rows: Sequence[Row]) -> Prior | None:
    """The prior; None where there are too few data sets to leave one out."""
    cases = cases_of(rows)
    if len({case.data for case in cases}) < LEAST_SETS:
        return None
    judged = judged_rules(cases)
    better = [one for one in judged if one.rule in RULES and one.low > 0]
    used = max(better, key=lambda one: one.gain).rule if better else CONSTANT
    return Prior(tuple(cases), tuple(judged), used)


def table(prior: Prior) -> list[str]:
    """The table and what follows from it, as Markdown."""
    lines = [
        "| what is tried first | mean regret, points | on the worst data set "
        f"| better than the constant choice by ({LEVEL:.0%} interval) |",
        "|---|---|---|---|",
    ]
    for one in prior.judged:
        gain = f"{one.gain:+.1f} ({one.low:+.1f} to {one.high:+.1f})"
        shown = gain if one.rule in RULES else ""
        lines.append(f"| {_words(one.rule)} | {one.regret:+.1f} | {one.most:+.1f} | {shown} |")
    names = sorted({case.data for case in prior.cases})
    used = (
        "No rule by features is surely better than the constant choice, so `src.advise` uses none."
        if prior.used == CONSTANT
        else f"`src.advise` uses: {prior.used}."
    )
    return [
        *lines,
        "",
        f"{len(prior.cases)} sweeps over depths of {len(names)} data sets ({', '.join(names)}). "
        f"{used}",
    ]


def write_prior(rows: Sequence[Row], page: Path = PAGE, record: Path = PRIOR) -> Prior | None:
    """Write the table, and what advise reads; returns the prior, if there are sets enough."""
    prior = prior_of(rows)
    content = [f"Fewer than {LEAST_SETS} data sets: nothing can be left out."]
    if prior is None:
        record.unlink(missing_ok=True)
    else:
        content = table(prior)
        record.write_text(json.dumps(prior.plain(), indent=1) + "\n", encoding="utf-8")
    fill(page, MARKERS, "\n".join(content), what="the table of the prior")
    return prior


def _by_all_but_depth(question: Sequence[Row]) -> list[list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in question:
        found[tuple(row[key] for key in CELL if key != "freeze")].append(row)
    return list(found.values())


def _case(rows: Sequence[Row]) -> Case | None:
    """A sweep over depths as a case; None with fewer than three, or without a head alone."""
    of_depth = {cell[0]["freeze"]: cell for cell in cells(rows)}
    if len(of_depth) < LEAST_DEPTHS or ALL not in of_depth:
        return None
    val = {depth: _mean(cell, "val_f1_macro") for depth, cell in of_depth.items()}
    test = {depth: 100 * _mean(cell, "test_f1_macro") for depth, cell in of_depth.items()}
    taken = max(val, key=lambda depth: val[depth])
    first = rows[0]
    features = DataFeatures(
        int(first["n_train"]), int(first["classes"]), _mean(of_depth[ALL], "val_acc_micro")
    )
    regrets = {depth: round(test[taken] - score, 4) for depth, score in test.items()}
    return Case(first["data"], features, regrets)


def _regret(predicted: Regrets, case: Case) -> float:
    """Of the depth that a rule puts first, among those that the case has."""
    known = {depth: cost for depth, cost in predicted.items() if depth in case.regrets}
    if not known:
        raise ValueError(f"no rule for the depths {', '.join(case.regrets)} of {case.data}")
    return case.regrets[min(known, key=lambda depth: (known[depth], depth != ALL, depth))]


def _words(rule: str) -> str:
    return "the depth that is best on the other sets" if rule == CONSTANT else rule


def _judged(name: str, own: dict[str, float], usual: dict[str, float]) -> Judged:
    gains = [usual[data] - own[data] for data in own]
    gain, half = fmean(gains), 0.0
    if any(gains):
        # So many rules are looked at, and one may seem better by chance.
        tail = (1 - LEVEL) / 2 / len(RULES)
        quantile = float(stats.t.ppf(1 - tail, len(gains) - 1))
        half = quantile * stdev(gains) / len(gains) ** 0.5
    values = list(own.values())
    rounded = (
        round(one, 4) for one in (fmean(values), max(values), gain, gain - half, gain + half)
    )
    return Judged(name, *rounded)


def _mean(cell: Sequence[Row], column: str) -> float:
    return fmean(float(row[column]) for row in cell)


def main() -> None:
    """The command line."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    prior = write_prior(read_corpus(CORPUS))
    print("\n".join(table(prior)) if prior else "too few data sets")


if __name__ == "__main__":
    main()

"""The corpus as a prior: what its rules cost, and that it is used only where that helps."""

import pytest

from experiments.tools import corpus_file, corpus_prior
from frostline.advice.advice import Advice
from frostline.advice.advice_text import prior_sentences
from frostline.advice.measures.measurement import Size
from frostline.advice.prior import (
    CONSTANT,
    RULES,
    Case,
    DataFeatures,
    constant,
    nearest,
    recorded_prior,
)


def rows_of(data, n_train, scores, **more):
    """Rows of a sweep: depth to (validation, test), one seed."""
    usual = dict.fromkeys(corpus_file.COLUMNS, "1") | dict.fromkeys(corpus_file.FOLDS, "")
    same = {"data": data, "n_train": str(n_train), "classes": "10", "weights": "pretrained"}
    same |= {"data_fingerprint": data, "lr_from": "tuned", "val_acc_micro": "0.55"}
    return [
        usual
        | same
        | {"freeze": depth, "val_f1_macro": str(val), "test_f1_macro": str(test)}
        | more
        for depth, (val, test) in scores.items()
    ]


SCORES = {"0": (0.7, 0.6), "2": (0.8, 0.5), "all": (0.6, 0.55)}


def worlds(is_large, sets):
    """Data sets of two sizes: which depth is best follows from the size, if `is_large` says so."""
    rows = []
    for number in range(sets):
        best, other = ("0", "all") if is_large(number) else ("all", "0")
        n_train = (10_000 if number % 2 else 100) + number
        scores = {best: (0.9, 0.9), other: (0.6, 0.6 + number / 1000), "2": (0.7, 0.7)}
        rows += rows_of(f"set {number}", n_train, scores)
    return rows


def test_a_case_holds_what_each_depth_is_behind_what_the_sweep_takes():
    (case,) = corpus_prior.cases_of(rows_of("a", 500, SCORES))
    # By validation the sweep takes 2, whatever its test score is.
    assert case.regrets == {"0": -10.0, "2": 0.0, "all": -5.0}
    assert case.features == DataFeatures(500, 10, 0.55)
    assert case.features.values() == pytest.approx([2.69897, 1.69897, 0.5])
    seeds = rows_of("a", 500, SCORES) + rows_of("a", 500, SCORES, seed="2", test_f1_macro="0.5")
    (case,) = corpus_prior.cases_of(seeds)
    assert case.regrets == pytest.approx({"0": -5.0, "2": 0.0, "all": -2.5})


@pytest.mark.parametrize(
    "more",
    [{"weights": "random"}, {"lr_from": "typed"}, {"data_folds": "5"}],
)
def test_what_is_no_case(more):
    assert corpus_prior.cases_of(rows_of("a", 500, SCORES, **more)) == []
    two = {"0": (0.7, 0.6), "all": (0.6, 0.55)}
    without_head = {"0": (0.7, 0.6), "2": (0.8, 0.5), "4": (0.6, 0.55)}
    assert corpus_prior.cases_of(rows_of("a", 5, two) + rows_of("b", 5, without_head)) == []


def test_backbones_and_recipes_are_cases_of_their_own():
    rows = rows_of("a", 500, SCORES) + rows_of("a", 500, SCORES, backbone="other")
    assert len(corpus_prior.cases_of(rows)) == 2
    assert len(corpus_prior.cases_of(rows + rows_of("a", 500, SCORES, augment="trivial"))) == 3


def test_the_constant_choice_counts_data_sets_alike_and_only_depths_that_all_have():
    one = DataFeatures(100, 10, 0.5)
    cases = [
        Case("a", one, {"0": 0.0, "all": 4.0, "2": 1.0}),
        Case("a", one, {"0": 2.0, "all": 4.0}),
        Case("b", one, {"0": 10.0, "all": 0.0}),
    ]
    assert constant(cases) == {"0": 5.5, "all": 2.0}
    new = DataFeatures(100, 10, 0.5)
    assert nearest(cases, new, k=1, with_frozen=True) == {"0": 0.0, "all": 4.0, "2": 1.0}


def test_where_size_decides_a_rule_by_features_is_used():
    rows = worlds(lambda number: number % 2, 12)
    prior = corpus_prior.prior_of(rows)
    assert prior.used in RULES and prior.of(prior.used).regret == 0.0
    assert prior.of(prior.used).gain == prior.of(CONSTANT).regret > 10 and prior.sets == 12
    assert next(iter(prior.regrets(DataFeatures(20_000, 10, 0.55)))) == "0"
    assert next(iter(prior.regrets(DataFeatures(50, 10, 0.55)))) == "all"
    assert f"`src.advise` uses: {prior.used}" in corpus_prior.table(prior)[-1]
    size = Size(100, 100, 10, 10.0, 10, 1.0)
    costs = prior.regrets(DataFeatures(50, 10, 0.55))
    advice = Advice("d", False, {}, size, "", "", prior={"net": costs})
    (said,) = prior_sentences(advice, prior)
    assert "depths of net by 12 recorded sweeps" in said and "freeze=all (+0.0), 2 (+" in said


def test_where_size_says_nothing_the_constant_choice_stays():
    rows = worlds(lambda number: number % 3 == 0, 12)
    prior = corpus_prior.prior_of(rows)
    assert prior.used == CONSTANT
    assert "uses none" in corpus_prior.table(prior)[-1]
    advice = Advice("d", False, {}, Size(1, 1, 1, 1.0, 1, 1.0), "", "")
    (said,) = prior_sentences(advice, prior)
    assert "are not used: no rule" in said


def test_a_rule_never_sees_the_data_set_on_which_it_is_judged():
    cases = corpus_prior.cases_of(worlds(lambda number: number % 2, 4))
    seen = []

    def rule(others, _):
        seen.append({case.data for case in others})
        return {"0": 0.0}

    regrets = corpus_prior.regrets_by_set(cases, rule)
    every = {f"set {number}" for number in range(4)}
    assert list(regrets) == sorted(every)
    assert seen == [every - {data} for data in regrets]


def test_with_two_data_sets_nothing_is_said(tmp_path):
    page, record = tmp_path / "page.md", tmp_path / "prior.json"
    page.write_text("\n".join(corpus_prior.MARKERS))
    few = worlds(lambda number: number % 2, 2)
    assert corpus_prior.write_prior(few, page, record) is None
    assert not record.exists() and recorded_prior(record) is None
    assert "nothing can be left out" in page.read_text()
    prior = corpus_prior.write_prior(worlds(lambda number: number % 2, 6), page, record)
    assert recorded_prior(record) == prior


def test_the_page_and_what_advise_reads_are_those_of_the_corpus():
    prior = corpus_prior.prior_of(corpus_file.read_corpus())
    assert "\n".join(corpus_prior.table(prior)) in corpus_prior.PAGE.read_text(), (
        "run python -m experiments.tools.corpus_prior"
    )
    assert recorded_prior() == prior

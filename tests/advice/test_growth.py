"""What more images would bring: the law by hand, and no answer where there can be none."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from frostline.advice.growth.grow import DataGrowth
from frostline.advice.growth.growth import (
    Growth,
    Projection,
    growth_of,
    law_curve,
    macro_scores,
    shares_for,
)
from frostline.advice.growth.growth_figure import growth_figure
from frostline.advice.growth.growth_page import growth_page
from frostline.advice.growth.growth_text import compared_lines, growth_lines
from frostline.advice.growth.subset_heads import subset, subset_heads
from frostline.commands import advise
from frostline.stats.power_law import fit_power_law, interval


def clusters(n_classes=6, per_class=80, *, noise=3.0, seed=0, width=32):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(0, 1, (n_classes, width))
    labels = np.repeat(np.arange(n_classes), per_class)
    values = centres[labels] + rng.normal(0, noise, (len(labels), width)) / 2
    groups = np.array([f"g{k:04d}" for k in range(len(labels))])
    return torch.from_numpy(values).float(), labels, groups


def test_a_power_law_is_found_and_projected():
    sizes = np.array([50.0, 100.0, 200.0, 400.0])
    errors = np.stack([2.0 * sizes**-0.5, 0.3 * sizes**0.1])
    law = fit_power_law(sizes, errors)
    assert law.slope == pytest.approx([0.5, 0.0])
    assert law.error_at(1600.0)[0] == pytest.approx(2.0 * 1600**-0.5)
    # More images never hurt: what rises is noise.
    assert law.error_at(1600.0)[1] == law.error_at(100.0)[1]
    assert interval(np.arange(101.0), 0.9) == pytest.approx((5.0, 95.0))


def test_parts_have_the_share_of_each_class_and_whole_groups():
    labels = np.repeat([0, 1], [400, 40])
    groups = np.repeat([f"g{k}" for k in range(110)], 4)
    rows = subset(labels, groups, 0.25, seed=1)
    assert abs(np.bincount(labels[rows])[0] - 100) <= 4
    assert np.bincount(labels[rows])[1] in (8, 12)
    assert np.unique(groups[rows], return_counts=True)[1].tolist() == [4] * (len(rows) // 4)
    assert len(subset(labels, groups, 1.0, seed=1)) == 440


def test_macro_scores_by_hand():
    hits = np.array([[1.0], [0.0], [1.0]])
    labels = np.array([0, 0, 1])
    weights = np.array([[1.0, 1, 1], [2, 1, 0], [0, 3, 2]])
    assert macro_scores(hits, labels, weights)[:, 0] == pytest.approx([0.75, 2 / 3, 0.5])


def test_heads_never_see_the_group_that_they_judge():
    """Pairs of equal images: a head that has seen one of them would know the other."""
    rng = np.random.default_rng(0)
    values = torch.from_numpy(np.repeat(rng.normal(0, 1, (60, 200)), 2, axis=0)).float()
    labels = np.repeat(rng.integers(0, 2, 60), 2)
    pairs = np.repeat([f"g{k}" for k in range(60)], 2)
    single = np.array([f"s{k}" for k in range(120)])
    apart = subset_heads(values, labels, pairs, seed=0, shares={1.0: 1}).hits.mean()
    seen = subset_heads(values, labels, single, seed=0, shares={1.0: 1}).hits.mean()
    assert seen > 0.9 > 0.7 > apart


def test_the_interval_holds_the_score_of_four_times_as_many_images():
    features, labels, groups = clusters(per_class=40)
    growth = growth_of("none", features, labels, groups, tuple("abcdef"), seed=0)
    assert not growth.why_not
    assert [one.factor for one in growth.projections] == [1, 2, 4]
    scores = [one.score for one in growth.projections]
    assert scores == sorted(scores)
    more, more_labels, more_groups = clusters(per_class=200, seed=1)
    heads = subset_heads(more, more_labels, more_groups, seed=0, shares={1.0: 1})
    assert heads.sizes[0] == 960  # four times 240, on the folds but one
    truth = macro_scores(heads.hits, more_labels, np.ones((1, 1200)))[0, 0]
    last = growth.projections[-1]
    assert last.low <= truth <= last.high
    assert "4x       960 images" in "\n".join(growth_lines("clusters", [growth]))


def test_the_curve_is_the_law_that_is_projected():
    sizes = np.array([50.0, 100.0, 200.0, 400.0])
    curve = dict(law_curve(sizes, 1 - 2.0 * sizes[None] ** -0.5, 500))
    assert list(curve) == sorted(curve)
    assert min(curve) == 50.0 and max(curve) == pytest.approx(2000.0)
    assert curve[500.0] == pytest.approx(1 - 2.0 * 500**-0.5)
    features, labels, groups = clusters(per_class=40)
    growth = growth_of("none", features, labels, groups, tuple("abcdef"), seed=0)
    now, last = growth.projections[0], growth.projections[-1]
    assert dict(growth.curve)[240.0] == pytest.approx(now.score)
    assert growth.curve[-1] == pytest.approx((960.0, last.score))


def test_the_figure_shows_what_was_measured_and_what_is_projected():
    features, labels, groups = clusters(per_class=40)
    one = growth_of("one", features, labels, groups, tuple("abcdef"), seed=0)
    silent = Growth("silent", 240, "nothing is left to gain", ((48.0, 1.0), (192.0, 1.0)))
    figure = growth_figure([one, silent])
    points, known, beyond, projected, *others = figure.series
    assert [list(pair) for pair in zip(points.x, points.y, strict=True)] == [
        [size, pytest.approx(100 * score)] for size, score in one.measured
    ]
    assert known.x[-1] == beyond.x[0] == 240 and beyond.dashed and not known.dashed
    assert list(projected.x) == [240, 480, 960]
    assert list(projected.low) == [pytest.approx(100 * each.low) for each in one.projections]
    assert list(projected.high) == [pytest.approx(100 * each.high) for each in one.projections]
    assert [(each.colour, list(each.x)) for each in others] == [(1, [48.0, 192.0])]
    assert len(figure.table.rows) == len(one.measured) + 3 + 2


def test_the_page_names_the_backbone_that_is_best_with_most_images():
    features, labels, groups = clusters(per_class=40)
    classes = tuple("abcdef")
    good = growth_of("good", features, labels, groups, classes, seed=0)
    poor = growth_of("poor", features[:, :6], labels, groups, classes, seed=0)
    silent = Growth("silent", 240, "nothing is left to gain", ((48.0, 1.0), (192.0, 1.0)))
    page = growth_page(DataGrowth("clusters", False, (poor, silent, good)))
    last = good.projections[-1]
    said = f"{last.score:.0%} ({last.low:.0%} .. {last.high:.0%}) with 4x"
    assert f"good: {good.projections[0].score:.0%} with the 240 training images there are" in page
    assert said in page
    assert "silent: nothing can be said, since nothing is left to gain." in page
    assert "poor is ahead of good in 0% of resamples" in page
    page = growth_page(DataGrowth("clusters", False, (silent,)))
    assert "Nothing can be said of more images" in page and "Nothing is left to gain." in page


def test_an_order_that_resamples_leave_open_is_called_so():
    rng = np.random.default_rng(0)
    law = tuple(Projection(factor, 100 * factor, 0.5, 0.4, 0.6) for factor in (1, 2, 4))
    even = rng.normal(0.5, 0.1, (1000, 3))
    one = Growth("one", 100, "", projections=law, draws=even)
    other = Growth("other", 100, "", projections=law, draws=even[::-1] + np.array([0, 0, 1]))
    (said,) = compared_lines([one, other])
    open_share = np.mean(one.draws[:, 0] > other.draws[:, 0])
    assert said == (
        f"one is ahead of other in {open_share:.0%} (cannot be distinguished) of resamples with "
        "the images there are, and in 0% with 4x"
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], "two images"),
        ([0] * 6 + [1] * 6, "and 10 are needed"),
        ([0] * 60 + [1], "two images"),
        ([0] * 60, "two images"),
    ],
    ids=["one image a class", "a handful", "one lone image", "one class"],
)
def test_too_little_says_nothing(labels, message):
    labels = np.array(labels)
    groups = np.array([f"g{k}" for k in range(len(labels))])
    assert message in str(shares_for(labels, groups))
    features = torch.zeros(len(labels), 4)
    growth = growth_of("none", features, labels, groups, tuple("abc"), seed=0)
    assert message in growth.why_not and growth.projections == ()


def test_one_group_says_nothing():
    labels = np.repeat([0, 1], 50)
    assert "two images" in str(shares_for(labels, np.full(100, "g")))


def test_labels_that_say_nothing_and_a_score_without_errors_give_no_law():
    features, labels, groups = clusters()
    shuffled = np.random.default_rng(0).permutation(labels)
    growth = growth_of("none", features, shuffled, groups, tuple("abcdef"), seed=0)
    assert "do not tell the classes apart" in growth.why_not
    features, labels, groups = clusters(noise=0.01)
    growth = growth_of("none", features, labels, groups, tuple("abcdef"), seed=0)
    assert "nothing is left to gain" in growth.why_not
    assert "cannot tell" in "\n".join(growth_lines("clusters", [growth]))


@pytest.fixture
def own_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))


SMALL = ["data.n_species=1", "data.photos_per_leaf=1", "data.size_px=32", "image_size=32"]


def test_the_command(own_folders, capsys):
    advise.main(["data.n_images=150", *SMALL, "--more", "--json", "--out", "more.html"])
    (growth,) = json.loads(capsys.readouterr().out)["growth"]
    page = Path("more.html").read_text(encoding="utf-8")
    assert "Score over the number of training images" in page
    assert f"{growth['projections'][-1]['score']:.0%} (" in page
    assert growth["images"] == 90
    assert [one["images"] for one in growth["projections"]] == [90, 180, 360]
    assert all(one["low"] <= one["score"] <= one["high"] for one in growth["projections"])


def test_a_handful_by_command(own_folders, capsys):
    advise.main(["data.n_images=30", *SMALL, "--more", "--out", "more.html"])
    assert "cannot tell: the classes have 4 images" in capsys.readouterr().out
    page = Path("more.html").read_text(encoding="utf-8")
    assert "Nothing can be said of more images" in page
    assert "The classes have 4 images" in page and "Score over" not in page

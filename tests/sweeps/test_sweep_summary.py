"""The table at the end: a column for whatever distinguishes two runs, and no figure cut short."""

from io import StringIO

import pytest
from rich.console import Console

from frostline.sweeps.outcome import Outcome, collect_outcomes
from frostline.sweeps.summary import rows, show
from tests.sweeps.test_sweep_plan import planned

PARAMS = {
    "backbone": "tf_efficientnet_lite0",
    "freeze": "4",
    "lr": "0.001",
    "frozen_params_frac": "0.361",
    "trainable_params": "4012345",
}
METRICS = {
    "val_best/f1_macro": 0.9123,
    "val_best/acc_micro": 0.9034,
    "test/f1_macro": 0.8945,
    "test/acc_micro": 1.0,
    "time/train_s": 12.0,
}


def outcome(name: str, swept: dict[str, str], **params: str) -> Outcome:
    return Outcome(name, name, "done", name, PARAMS | params, METRICS, swept=swept)


def printed(outcomes: list[Outcome], width: int, *, terminal: bool) -> str:
    file = StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None)
    show(outcomes, console, title="2 runs")
    return file.getvalue()


def test_a_swept_setting_that_is_no_parameter_has_a_column() -> None:
    common = ("backbone=test_resnet", "head=mlp", "data.fraction=0.5")
    words = [
        (*common, "freeze=2", "head.pool=max", "+seed=0"),
        (*common, "freeze=2", "head.pool=flatten", "+seed=1"),
    ]
    jobs = [planned("data.n_images=60", *(word.lstrip("+") for word in own)) for own in words]
    launched = [Outcome(job.digest, "", "done", "r", PARAMS, METRICS) for job in jobs]
    header, cells = rows(collect_outcomes(None, jobs, {}, launched))  # type: ignore[arg-type]
    assert header[:4] == ["backbone", "freeze", "head.pool", "seed"]
    assert [row[2:4] for row in cells] == [["max", "0"], ["flatten", "1"]]


def test_a_parameter_has_one_column_only() -> None:
    found = [
        outcome("a", {"lr": "1e-3", "data.fraction": ".5"}, data_fraction="0.5"),
        outcome("b", {"lr": "1e-4", "data.fraction": "1"}, lr="0.0001", data_fraction="1.0"),
    ]
    header, _ = rows(found)
    assert header[2:5] == ["lr", "data_fraction", "frozen"]


def test_a_parameter_that_only_some_runs_have_has_a_column() -> None:
    found = [outcome("a", {"ema": "null"}), outcome("b", {"ema": "0.9"}, ema="0.9")]
    header, cells = rows(found)
    assert header[2] == "ema"
    assert [row[2] for row in cells] == ["null", "0.9"]


@pytest.mark.parametrize("width", [30, 60, 80, 100, 200])
@pytest.mark.parametrize("terminal", [True, False])
def test_no_cell_is_cut_short(width: int, terminal: bool) -> None:
    found = [
        outcome("a", {"head.pool": "max"}, lr="0.001"),
        outcome("b", {"head.pool": "flatten"}, lr="0.0001"),
    ]
    text = printed(found, width, terminal=terminal)
    assert "…" not in text
    for cell in ("tf_efficientnet_lite0", "0.0001", "flatten", "91.2", "89.5", "val F1", "test F1"):
        assert cell in text
    lines = text.splitlines()
    if terminal and width == 80:
        assert max(map(len, lines)) <= 80
        assert lines[-1].startswith("left out, the window being narrow: trainable, test acc")
    if not terminal or width == 200:
        assert "4,012,345" in text and "left out" not in text


def test_the_image_size_has_a_column_only_where_it_does_not_follow_from_the_backbone() -> None:
    sizes = [
        outcome("a", {}, backbone="a", image_size="224"),
        outcome("b", {}, backbone="b", image_size="96"),
    ]
    assert "image_size" not in rows(sizes)[0]
    assert "image_size" in rows([*sizes, outcome("c", {}, backbone="b", image_size="64")])[0]


def test_weights_that_fit_in_part_are_marked_wherever_the_terminal_is() -> None:
    share = "28.1 % of the parameters (60 of 75 tensors)"
    found = [outcome("a", {}), outcome("b", {}, weights_partial=share)]
    header, cells = rows(found)
    at = header.index("PARTIAL WEIGHTS")
    assert sorted(row[at] for row in cells) == ["", "28.1 %"]
    assert "PARTIAL WEIGHTS" in printed(found, 40, terminal=True)
    assert "PARTIAL WEIGHTS" not in printed(found[:1], 40, terminal=True)


def test_a_head_that_was_solved_shows_no_rate_that_had_no_effect() -> None:
    one, two = (
        Outcome(f"d{k}", f"run{k}", "done", f"r{k}", {"backbone": "net", "freeze": f, "lr": lr},
                {}, is_solved=f == "all")
        for k, (f, lr) in enumerate([("0", "0.001"), ("all", "0.005")])
    )  # fmt: skip
    header, cells = rows([one, two])
    at = header.index("lr")
    assert {row[1]: row[at] for row in cells} == {"0": "0.001", "all": "solved"}


def fold(depth: str, number: int, lr: str, f1: float, *, tuned: bool = True) -> Outcome:
    params = PARAMS | {"freeze": depth, "lr": lr, "data_folds": "3", "data_fold": str(number)}
    metrics = METRICS | {"val_best/f1_macro": f1} | ({"time/tune_s": 1.0} if tuned else {})
    swept = {"data.fold": str(number)}
    return Outcome(
        f"{depth}{number}{lr}", "a", "done", f"{depth}{number}", params, metrics, swept=swept
    )


def test_folds_are_one_row_with_the_mean_of_their_figures() -> None:
    found = [fold("4", k, lr, f1) for k, (lr, f1) in enumerate([("0.01", 0.5), ("0.003", 0.7)])]
    found += [fold("2", k, "0.01", f1) for k, f1 in enumerate([0.9, 0.8, 0.7])]
    header, cells = rows(found)
    at = {name: place for place, name in enumerate(header)}
    assert "data_fold" not in header and "data.fold" not in header
    assert [row[at["freeze"]] for row in cells] == ["2", "4"]
    assert [row[at["folds"]] for row in cells] == ["3 of 3", "2 of 3"]
    assert [row[at["val F1"]] for row in cells] == ["80.0", "60.0"]
    assert [row[at["s"]] for row in cells] == ["39", "26"]
    assert [row[at["lr"]] for row in cells] == ["0.01", "0.003 .. 0.01"]
    assert "2 runs, figures are means over folds" in printed(found, 200, terminal=False)
    typed = [fold("4", k, lr, 0.5, tuned=False) for lr in ("0.01", "0.1") for k in range(3)]
    assert [row[at["lr"]] for row in rows(typed)[1]] == ["0.01", "0.1"]
    assert "folds" not in rows([outcome("a", {})])[0]

"""The tables of a study, from predictions whose figures are known."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from experiments.tools import comparisons, study_jobs
from experiments.tools import study as command
from experiments.tools import study_tables as tables
from experiments.tools.markers import fill, markers
from experiments.tools.recorded_runs import Recorded
from frostline.config.tune_grid import solves_head
from frostline.errors import ConfigError
from frostline.stats.predictions import Predictions
from frostline.tracking.records import RunRecord

N_LEAVES, PHOTOS = 150, 2


def answers(share_right: float, seed: int, *, word: str = "test", rare: int = 0) -> Predictions:
    """Answers on two classes; whole leaves are right or wrong, the first `rare` of them class 1."""
    items = [f"A/{word}{leaf:05d}_photo{p}" for leaf in range(N_LEAVES) for p in range(PHOTOS)]
    rng = np.random.default_rng(seed)
    right = np.repeat(rng.permutation(N_LEAVES) < round(share_right * N_LEAVES), PHOTOS)
    labels = np.arange(N_LEAVES * PHOTOS) % 2
    if rare:
        labels = (np.arange(N_LEAVES * PHOTOS) < rare).astype(np.int64)
        right = labels == 0
    answer = np.where(right, labels, 1 - labels)
    groups = np.array([item.partition("_photo")[0] for item in items])
    probs = np.eye(2, dtype=np.float16)[answer]
    return Predictions(np.array(items), groups, labels, probs)


class FakeSource:
    """Predictions by run and split."""

    def __init__(self, known: Mapping[tuple[str, str], Predictions]) -> None:
        self._known = known

    def predictions(self, run_id: str, split: str) -> Predictions | None:
        return self._known.get((run_id, split))

    def curve(self, run_id: str, metric: str) -> Sequence[tuple[int, float]]:
        return []

    def classes(self, run_id: str) -> list[str] | None:
        return None

    def text(self, run_id: str, path: str) -> str | None:
        return None


class FakeJob:
    def __init__(self, label: str, seed: int) -> None:
        self.label = label
        self.settings = type("Settings", (), {"seed": seed})()


def recorded(cells: Mapping[str, Mapping[str, Sequence[Predictions]]], table: dict) -> Recorded:
    """A study whose runs have the given predictions, seed by seed, cell by cell."""
    known, runs, jobs = {}, {}, []
    for label, splits in cells.items():
        runs[label] = {}
        for seed, one in enumerate(splits["test"]):
            run_id, tags = f"{label}-{seed}", {"frostline.device": "a CPU"}
            metrics = {"test/acc_micro": float(one.correct.mean()), "time/train_s": 2.0}
            params = {"trainable_params": "1234"}
            runs[label][seed] = RunRecord(
                run_id, run_id, "x", "FINISHED", params, metrics, tags, 0, 1
            )  # fmt: skip
            known |= {(run_id, split): by_seed[seed] for split, by_seed in splits.items()}
            jobs.append(FakeJob(label, seed))
    study = study_jobs.Study("demo", (), tuple(jobs), table)  # type: ignore[arg-type]
    return Recorded(study, runs, FakeSource(known))


def test_differences_are_paired_and_claims_corrected() -> None:
    seeds = range(5)
    cells = {
        "base": {"test": [answers(0.70, s) for s in seeds]},
        "same": {"test": [answers(0.70, s) for s in seeds]},
        "better": {"test": [answers(0.90, s) for s in seeds]},
    }
    made = recorded(cells, {"compare": {"same": "base", "better": "base"}})
    compared = comparisons.differences(made, {"same": "base", "better": "base"})
    assert compared["better"].points.value == pytest.approx(0.20, abs=1e-6)
    assert compared["better"].is_significant and compared["better"].points.low > 0.1
    assert compared["same"].points.value == 0 and not compared["same"].is_significant
    assert compared["same"].points.low < 0 < compared["same"].points.high
    text = tables.write_tables(made)
    assert "| better | 5 | 90.0 (" in text
    assert "- *better* is better than *base*: +20.0 (" in text
    assert "- *same* cannot be distinguished from *base*" in text
    assert text == tables.write_tables(made)


def test_excess_optimism_is_validation_minus_test() -> None:
    seeds = range(4)
    cells = {
        "leaky": {
            "val": [answers(0.95, s, word="leaf") for s in seeds],
            "test": [answers(0.60, s + 50) for s in seeds],
        },
        "whole": {
            "val": [answers(0.70, s, word="leaf") for s in seeds],
            "test": [answers(0.68, s + 90) for s in seeds],
        },
    }
    result = comparisons.excess_optimism(recorded(cells, {}), "leaky", "whole")
    assert result is not None
    whole_leaves = (
        round(0.95 * 150) - round(0.6 * 150) - round(0.7 * 150) + round(0.68 * 150)
    ) / 150
    assert result.value == pytest.approx(whole_leaves, abs=1e-6)
    assert result.low > 0.15


def test_accuracy_flatters_where_a_rare_class_is_never_found() -> None:
    cells = {"rare": {"test": [answers(1.0, 0, rare=20)]}}
    result = comparisons.accuracy_over_f1(recorded(cells, {}), "rare")
    assert result is not None
    # 280 of 300 right, all answers class 0: F1 of the classes 2*280/580 and 0.
    assert result.value == pytest.approx(280 / 300 - 280 / 580, abs=1e-6)


def test_the_deviation_between_seeds_has_an_interval() -> None:
    result = comparisons.seed_deviation([0.8, 0.9])
    assert result is not None and result.value == pytest.approx(0.0707107)
    assert result.low < result.value < result.high and result.high > 2
    assert comparisons.seed_deviation([0.8]) is None


def test_all_mistakes_have_a_line_and_unknown_cells_are_errors() -> None:
    cells = {"a": {"test": [answers(0.7, s) for s in range(2)]}}
    cells["b"] = {"test": [answers(0.8, s) for s in range(2)]}
    spec = {"cell": "b", "against": "a"}
    kinds = {"one": "difference", "two": "accuracy over F1", "three": "seeds", "four": "promise"}
    table = {"mistakes": {name: {**spec, "measure": kind} for name, kind in kinds.items()}}
    text = tables.write_tables(recorded(cells, table))
    assert "| one | +10.0 (" in text
    assert "a single run gives anything from 80.0 to 80.0" in text
    assert "| four | not run |" in text
    with pytest.raises(ConfigError, match="names 'c', which is none of its cells"):
        tables.write_tables(recorded(cells, {"compare": {"c": "a"}}))


def test_only_what_stands_between_the_markers_changes(tmp_path: Path) -> None:
    page = tmp_path / "demo.md"
    begin, end = markers("small")
    page.write_text(f"above\n{begin}\n{end}\nbelow\n")
    small = "the tables of scale=small"
    assert fill(page, markers("small"), "the table", what=small)
    assert page.read_text() == f"above\n{begin}\n\nthe table\n\n{end}\nbelow\n"
    assert not fill(page, markers("small"), "the table", what=small)
    fill(page, markers("small"), "another", what=small)
    assert page.read_text() == f"above\n{begin}\n\nanother\n\n{end}\nbelow\n"
    with pytest.raises(ConfigError, match="no place for the tables of scale=full"):
        fill(page, markers("full"), "the table", what="the tables of scale=full")
    with pytest.raises(ConfigError, match="no place for the tables"):
        fill(tmp_path / "other.md", markers("small"), "x", what=small)


def test_a_sweep_that_was_not_run_is_reported_with_its_command(
    fresh_store_uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["vgg16_features", "--uri", fresh_store_uri, "--partial"])
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert "12 of 12 runs of vgg16_features are not in" in message
    assert "python -m src.train -m +experiments=vgg16_features" in message


def test_an_unknown_study_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"(?s)nosuch: there is no such study.*brahimi"):
        study_jobs.compose_study("nosuch", [])


def test_a_job_that_tunes_is_looked_up_by_the_config_that_the_command_records() -> None:
    jobs = study_jobs.compose_study("brahimi", []).jobs
    tuned = [job.settings for job in jobs if job.label == "Lite0, last layer"]
    assert [job.seed for job in tuned] == [0, 1, 2]
    assert {job.tune.seed for job in tuned} == {0}
    # What the study sets counts as typed, so that sgd keeps the head from being solved.
    assert "optimizer" in (tuned[0].strategy.typed or ())
    assert not solves_head(tuned[0])

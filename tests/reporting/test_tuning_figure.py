"""What a tuned configuration tried, as the candidates themselves were judged."""

import math
from types import SimpleNamespace

from frostline.reporting.tuning_figure import tried_in, tuning_section
from frostline.training.candidate import Candidate
from frostline.training.tuning_choice import Tuning


def _early(rate, losses, state="trained"):
    epochs = {
        epoch: {"val/loss": loss + 5, "val/loss_scaled": loss, "lr": rate / (epoch + 2)}
        for epoch, loss in enumerate(losses)
    }
    return Candidate({"lr": rate}, state, epochs)


def _text(tmp_path, candidates, chosen):
    Tuning(candidates, chosen, seed=0, at_edge=()).write_table(tmp_path / "tuning.csv")
    return (tmp_path / "tuning.csv").read_text()


def test_candidates_are_shown_by_the_loss_that_judged_them(tmp_path):
    candidates = [
        _early(1e-2, [0.9, 0.8]),
        _early(1e-3, [1.5, 0.7]),
        Candidate({"lr": 1e-1}, "diverged", {0: {"val/loss": math.nan}}),
        Candidate({"lr": 1.0}, "left out"),
    ]
    shown = tried_in(_text(tmp_path, candidates, 1))
    assert [(one.rate, one.state) for one in shown] == [
        (1e-3, "chosen"),
        (1e-2, "trained"),
        (1e-1, "diverged"),
        (1.0, "left out"),
    ]
    assert [one.loss for one in shown[:2]] == [candidates[1].loss, candidates[0].loss] == [0.7, 0.8]
    assert all(math.isnan(one.loss) for one in shown[2:])


def test_heads_trained_to_their_end_by_their_lowest_loss_and_a_solved_one_not_at_all(tmp_path):
    whole = Candidate({"lr": 5e-3}, "trained", {0: {"val/loss": 0.5}, 1: {"val/loss": 0.6}})
    solved = Candidate({"lr": 5e-3}, "trained", {0: {"val/loss": 0.4}}, l2=1e-4)
    (one,) = tried_in(_text(tmp_path, [whole, solved], 1))
    assert (
        (one.rate, one.loss, one.state) == (5e-3, whole.loss, "trained") == (5e-3, 0.5, "trained")
    )


def test_of_several_candidates_with_a_rate_the_chosen_or_the_best_one(tmp_path):
    pairs = [
        Candidate({"lr": 1e-3, "optimizer.weight_decay": 0.0}, "trained", {0: {"val/loss": 0.9}}),
        Candidate({"lr": 1e-3, "optimizer.weight_decay": 0.1}, "trained", {0: {"val/loss": 0.8}}),
        Candidate({"lr": 1e-2, "optimizer.weight_decay": 0.0}, "trained", {0: {"val/loss": 0.6}}),
        Candidate({"lr": 1e-2, "optimizer.weight_decay": 0.1}, "trained", {0: {"val/loss": 0.7}}),
    ]
    shown = tried_in(_text(tmp_path, pairs, 2))
    assert [(one.rate, one.loss) for one in shown] == [(1e-3, 0.8), (1e-2, 0.6)]
    assert shown[1].state == "chosen"


def test_a_damaged_table_is_no_figure():
    for text in ("", "candidate,lr\n", "\0\0", "candidate,lr,state\n0,quick,trained\n"):
        assert tried_in(text) == []


def test_the_chosen_rate_is_ringed(tmp_path):
    text = _text(tmp_path, [_early(1e-2, [0.8]), _early(1e-3, [0.7])], 1)
    cells = [SimpleNamespace(cell=SimpleNamespace(name=name, run_ids={"0": name})) for name in "ab"]
    source = SimpleNamespace(text=lambda run_id, path: text if run_id == "a" else None)
    (section,) = tuning_section(SimpleNamespace(chosen=cells), source)
    (series,) = section.figures[0].series
    assert (series.name, list(series.x), series.ringed) == ("a", [1e-3, 1e-2], frozenset({0}))
    assert tuning_section(SimpleNamespace(chosen=cells[1:]), source) == []


def test_the_rate_of_a_candidate_is_not_that_of_an_epoch(tmp_path):
    text = _text(tmp_path, [_early(1e-2, [0.9, 0.8])], 0)
    assert text.splitlines()[0].split(",").count("lr") == 1
    older = text.replace("epoch_lr", "lr")
    for each in (text, older):
        assert [one.rate for one in tried_in(each)] == [1e-2]

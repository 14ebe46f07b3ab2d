"""Tuned jobs carried out for real on tiny nets: the winner is the run with its rate alone."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from frostline.config.identity import config_digest
from frostline.config.schema import Settings
from frostline.config.search_settings import FIRST_LOOK
from frostline.config.tune_grid import solves_head
from frostline.errors import FrostlineError
from frostline.features import fill
from frostline.features.cost_model import Decision, Speeds, Work, decide_from_cost
from frostline.features.stored_epochs import StoredEpochs
from frostline.files import unsealed
from frostline.sweeps.execute import execute
from frostline.sweeps.execute_group import execute_group
from frostline.sweeps.job import Job
from frostline.sweeps.outcome import Outcome
from frostline.sweeps.plan import plan_job, with_first_seeds
from frostline.sweeps.preflight import check_jobs
from frostline.sweeps.sharing import sharing_of
from frostline.tracking.prediction_files import read_predictions
from frostline.tracking.store import Store, open_store
from frostline.training.rung import rung_name
from tests.contracts.scheduled import settings

COMMON = ("tracking.experiment=tuned", "epochs=4", "tune.first_frac=0.5", "evidence=off")
NET = ("backbone=test_resnet", "freeze=1", "augment=flip", "lr=auto")


class Interrupted(BaseException):
    """Takes the place of a process that dies."""


def planned(uri: str, *jobs: tuple[str, ...]) -> list[Settings]:
    """The jobs of one command, as a sweep hands them on."""
    given = [settings(f"tracking.uri={uri}", *COMMON, *overrides) for overrides in jobs]
    given = with_first_seeds(given)
    facts = check_jobs(given, on_progress=lambda **_: None)
    plan = [plan_job(n, (), s, f) for n, (s, f) in enumerate(zip(given, facts, strict=True))]
    ready = []
    for job, shared in zip(plan, sharing_of(plan), strict=True):
        sweep = job.settings.sweep.model_copy(
            update={"job_digest": job.digest, "group": shared.group}
        )
        ready.append(job.settings.model_copy(update={"sweep": sweep}))
    return ready


def carry_out(
    job: Settings, folder: Path, on_progress: Callable[..., None] = lambda **_: None
) -> Outcome:
    folder.mkdir(exist_ok=True)
    return execute(Job(job, folder, env={}), on_progress=on_progress)


def figures(uri: str, outcome: Outcome) -> dict[tuple[str, int], float]:
    """Every metric of every epoch that is no time."""
    client = MlflowClient(tracking_uri=uri)
    names = client.get_run(outcome.run_id).data.metrics
    return {
        (name, point.step): point.value
        for name in names
        if not name.startswith("time/")
        for point in client.get_metric_history(outcome.run_id, name)
    }


@pytest.fixture
def store(fresh_store_uri: str) -> Store:
    return open_store(fresh_store_uri, "tuned")


@pytest.mark.parametrize(
    "recipe",
    [
        ("freeze=1",),
        ("freeze=2", "schedule=head_first", "schedule.head_epochs=1"),
        ("augment=crop",),
    ],
    ids=["constant", "phases", "images"],
)
def test_the_winner_is_to_the_bit_the_run_with_its_rate_alone(
    recipe: tuple[str, ...], tmp_path: Path, fresh_store_uri: str, store: Store
) -> None:
    (job,) = planned(fresh_store_uri, (*NET, *recipe))
    tuned = carry_out(job, tmp_path / "tuned")
    lr = tuned.params["lr"]
    (job,) = planned(fresh_store_uri, (*NET, *recipe, f"lr={lr}"))
    alone = carry_out(job, tmp_path / "alone")
    assert figures(fresh_store_uri, tuned) == figures(fresh_store_uri, alone)
    digests = [
        (store.fetch_artifact(one.run_id, "checkpoints/best.ckpt.sha256")).read_text()
        for one in (tuned, alone)
    ]
    assert digests[0] == digests[1]
    tags = store.get_run(tuned.run_id).tags
    assert tags["lr_from"] == "tuned"
    assert store.get_run(alone.run_id).tags["lr_from"] == "typed"
    assert float(tags["frostline.tuned"].removeprefix('{"lr": ').removesuffix("}")) == float(lr)
    assert store.get_run(tuned.run_id).metrics["time/tune_s"] > 0


def test_candidates_read_the_crops_of_one_another_and_choose_the_same(
    tmp_path: Path, fresh_store_uri: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    pays = Decision(True, "tested elsewhere")
    monkeypatch.setattr(fill, "decide_from_cost", lambda *_, **__: pays)
    opened: list[StoredEpochs] = []
    begun = StoredEpochs.__init__

    def noted(self: StoredEpochs, *args: Any, **kwargs: Any) -> None:
        begun(self, *args, **kwargs)
        opened.append(self)

    monkeypatch.setattr(StoredEpochs, "__init__", noted)
    recipe = (*NET, "freeze=3", "augment=crop")
    alone, sharing = (
        carry_out(planned(fresh_store_uri, (*recipe, f"reuse={reuse}"))[0], tmp_path / reuse)
        for reuse in ("off", "auto")
    )
    *first_parts, last = opened
    # Two epochs before the choice: the first candidate computes them, and all others read them.
    assert [(each.computed, each.direct) for each in first_parts[:1]] == [(2, 0)]
    others = [each for each in first_parts[1:] if each.read]
    assert len(others) >= 2
    assert all((each.read, each.computed, each.direct) == (2, 0, 0) for each in others)
    assert last.computed == 0, "nobody else reads what the chosen one trains on"
    assert figures(fresh_store_uri, alone) == figures(fresh_store_uri, sharing)
    tables = [
        [line.split(",")[:4] for line in store.fetch_artifact(one.run_id, "tuning.csv").open()]
        for one in (alone, sharing)
    ]
    assert tables[0] == tables[1]
    assert len(tables[0]) > 8


def test_all_candidates_have_the_same_epochs_and_a_second_seed_takes_the_choice(
    tmp_path: Path, fresh_store_uri: str, store: Store
) -> None:
    first, second = planned(fresh_store_uri, (*NET, "seed=3"), (*NET, "seed=4"))
    # The other order: whoever comes first chooses on the first seed of the command.
    late = carry_out(second, tmp_path / "second")
    early = carry_out(first, tmp_path / "first")
    assert late.params["lr"] == early.params["lr"]
    tables = [store.fetch_artifact(one.run_id, "tuning.csv").read_text() for one in (early, late)]
    assert tables[0] == tables[1]
    rows = [line.split(",") for line in tables[0].split()[1:]]
    epochs: dict[str, int] = {}
    for row in rows:
        epochs[row[1]] = epochs.get(row[1], 0) + 1
    further = [lr for lr, count in epochs.items() if count == 4]
    assert set(epochs.values()) <= {2, 4}
    assert len(further) in {0, 2}, "the two best go on together, or none"
    assert len(epochs) >= 4
    assert store.get_run(late.run_id).tags["frostline.tuned_on_seed"] == "3"
    (alone,) = planned(fresh_store_uri, (*NET, "seed=4", f"lr={late.params['lr']}"))
    assert figures(fresh_store_uri, late) == figures(
        fresh_store_uri, carry_out(alone, tmp_path / "alone")
    )
    left = list((tmp_path / ".frostline" / "tuning").rglob("*.ckpt"))
    assert left == [], "no candidate's checkpoint stays"


@pytest.mark.parametrize("twice", [False, True], ids=["once", "killed before it was recorded"])
def test_a_first_look_at_one_candidate_changes_nothing_of_what_comes_after(
    twice: bool, tmp_path: Path, fresh_store_uri: str, store: Store
) -> None:
    (job,) = planned(fresh_store_uri, NET)
    sweep = job.sweep.model_copy(update={"until_epoch": FIRST_LOOK})
    looks = [
        carry_out(job.model_copy(update={"sweep": sweep}), tmp_path / f"look{number}")
        for number in range(1 + twice)
    ]
    assert [look.state for look in looks] == ["paused"] * len(looks)
    waiting = store.get_run(looks[0].run_id)
    assert waiting.status == "SCHEDULED"
    assert json.loads(waiting.tags["frostline.rung"])["epochs"] == FIRST_LOOK
    assert "lr" not in waiting.params
    seen = read_predictions(store.fetch_artifact(waiting.run_id, rung_name(FIRST_LOOK)))
    curves = list((tmp_path / ".frostline" / "tuning").rglob("curve.json"))
    (middle,) = [json.loads(unsealed(curve.read_text())) for curve in curves]
    assert middle["values"] == {"lr": 1.6e-3}
    assert len(middle["epochs"]) == 2
    best = max(each["val/acc_micro"] for each in middle["epochs"].values())
    assert seen.correct.mean() == pytest.approx(best)
    whole = carry_out(job, tmp_path / "whole")
    assert whole.run_id == waiting.run_id
    tables = [store.fetch_artifact(whole.run_id, "tuning.csv").read_text()]
    shutil.rmtree(tmp_path / ".frostline" / "tuning")
    (again,) = planned(fresh_store_uri, (*NET, "rerun=true"))
    straight = carry_out(again, tmp_path / "straight")
    assert figures(fresh_store_uri, whole) == figures(fresh_store_uri, straight)
    tables.append(store.fetch_artifact(straight.run_id, "tuning.csv").read_text())
    assert _without_seconds(tables[0]) == _without_seconds(tables[1])


def _without_seconds(table: str) -> list[list[str]]:
    lines = [line.split(",") for line in table.split()]
    place = lines[0].index("seconds")
    return [line[:place] + line[place + 1 :] for line in lines]


@pytest.mark.parametrize("at", ["candidate 1", "candidate 3", "tuned: "])
def test_interrupted_in_any_part_the_same_run_ends_with_the_same_figures(
    at: str, tmp_path: Path, fresh_store_uri: str, store: Store
) -> None:
    def stop(**message: Any) -> None:
        if at in str(message.get("text", "")):
            raise KeyboardInterrupt

    (job,) = planned(fresh_store_uri, NET)
    with pytest.raises(KeyboardInterrupt):
        carry_out(job, tmp_path / "cut", stop)
    (run,) = store.find_runs({"frostline.kind": "job"})
    store.resume_run(run.run_id).finish("KILLED", "as if by a signal")
    resumed = carry_out(job, tmp_path / "again")
    assert resumed.run_id == run.run_id
    (whole,) = planned(fresh_store_uri, (*NET, f"lr={resumed.params['lr']}"))
    assert figures(fresh_store_uri, resumed) == figures(
        fresh_store_uri, carry_out(whole, tmp_path / "whole")
    )


def test_a_cell_none_of_whose_candidates_learns_fails_with_that_reason(
    tmp_path: Path, fresh_store_uri: str, store: Store
) -> None:
    (job,) = planned(fresh_store_uri, (*NET, "tune.over={lr: [1e30, 1e35]}", "optimizer=sgd"))
    with pytest.raises(Exception, match="every candidate became infinite or NaN: lr=1e\\+30"):
        carry_out(job, tmp_path / "job")
    (run,) = store.find_runs({"frostline.kind": "job"})
    assert run.status == "FAILED"
    assert run.tags["frostline.diverged"] == "true"


def test_heads_choose_from_the_whole_grid_alone_or_beside_others(
    tmp_path: Path, fresh_store_uri: str, store: Store
) -> None:
    heads = ("backbone=test_resnet", "freeze=all", "lr=auto", "head.dropout=0.2")  # not convex
    together = planned(fresh_store_uri, heads, (*heads, "seed=1"), (*heads, "optimizer=sgd"))
    jobs = [Job(job, tmp_path / f"job{n}", env={}) for n, job in enumerate(together)]
    outcomes = execute_group(jobs, on_progress=lambda **_: None)
    assert all(one is not None and one.state == "done" for one in outcomes)
    first, second, other = (one for one in outcomes if one is not None)
    assert first.params["lr"] == second.params["lr"]
    assert "time/tune_s" in first.metrics
    assert "time/tune_s" not in second.metrics
    trained = int(store.get_run(first.run_id).tags["frostline.epochs_trained"])
    assert trained % 4 == 0
    assert max(step for _, step in figures(fresh_store_uri, first)) == trained
    assert first.params["epochs"] == "4"
    (again,) = planned(fresh_store_uri, (*heads, "rerun=true"))
    alone = carry_out(again, tmp_path / "alone")
    assert alone.run_id != first.run_id
    ours, theirs = figures(fresh_store_uri, first), figures(fresh_store_uri, alone)
    assert ours.keys() == theirs.keys()
    assert all(ours[key] == pytest.approx(theirs[key], abs=1e-4) for key in ours)
    assert other.params["lr"] != ""


def test_a_linear_head_is_solved_and_so_is_that_of_a_seed_that_comes_later(
    tmp_path: Path, fresh_store_uri: str, store: Store
) -> None:
    heads = ("backbone=test_resnet", "freeze=all", "lr=auto", "head.dropout=0")
    (first,) = planned(fresh_store_uri, (*heads, "tune.seed=0"))
    one = carry_out(first, tmp_path / "one")
    tags = store.get_run(one.run_id).tags
    assert tags["frostline.head_solver"].startswith("L-BFGS, l2=")
    table = store.fetch_artifact(one.run_id, "tuning.csv").read_text().split()
    head, *rows = (line.split(",") for line in table)
    tried = [dict(zip(head, row, strict=True)) for row in rows]
    losses = {row["l2"]: float(row["val/loss"]) for row in tried if row["l2"]}
    (chosen,) = {row["l2"] for row in tried if row["state"] == "chosen"}
    assert losses[chosen] == min(losses.values())
    assert losses[chosen] < min(float(row["val/loss"]) for row in tried if not row["l2"])
    assert one.metrics["val_best/loss"] == pytest.approx(losses[chosen], abs=1e-4)
    (later,) = planned(fresh_store_uri, (*heads, "tune.seed=0", "seed=1", "weights=random"))
    other = carry_out(later, tmp_path / "other")
    assert (
        store.get_run(other.run_id).tags["frostline.head_solver"] == (tags["frostline.head_solver"])
    )
    assert "time/tune_s" not in other.metrics
    (trained,) = planned(fresh_store_uri, (*heads, "tune.solve_head=false"))
    assert trained.sweep.job_digest != first.sweep.job_digest
    by_steps = carry_out(trained, tmp_path / "trained")
    assert "frostline.head_solver" not in store.get_run(by_steps.run_id).tags


def test_who_chooses_an_optimiser_gets_a_head_that_is_trained_with_it() -> None:
    assert solves_head(settings("freeze=all", "lr=auto", "head.dropout=0"))
    for typed in (
        ("lr=0.01",), ("head=mlp",), ("loss=focal",), ("head.dropout=0.1",), ("tune=lr_wd",),
        ("data.sampling=balanced",), ("strategy.typed=[optimizer]",), ("tune.solve_head=false",),
    ):  # fmt: skip
        given = settings("freeze=all", "lr=auto", "head.dropout=0", *typed)
        assert not solves_head(given), typed


def test_a_head_is_solved_although_storing_so_few_features_costs_more_than_it_saves(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    seen: list[Work] = []

    def dear(work: Work, speeds: Speeds, **limits: int) -> Decision:
        seen.append(work)
        return decide_from_cost(replace(work, prefix_s=1e-9), speeds, **limits)

    monkeypatch.setattr(fill, "decide_from_cost", dear)
    (job,) = planned(fresh_store_uri, (*NET, "freeze=all", "epochs=1", "head.dropout=0"))
    outcome = carry_out(job, tmp_path / "run")
    assert (
        seen
        and not decide_from_cost(
            replace(seen[0], prefix_s=1e-9, is_needed=False),
            Speeds(1e9, 1e9, 1e9),
            max_new_bytes=2**30,
            memory_bytes=2**30,
        ).reuse
    )
    tags = MlflowClient(tracking_uri=fresh_store_uri).get_run(outcome.run_id).data.tags
    assert tags["frostline.head_solver"].startswith("L-BFGS")


def test_without_room_for_features_a_tuned_head_fails_and_is_not_chosen_in_another_way(
    tmp_path: Path, fresh_store_uri: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FROSTLINE_FEATURES_GIB", "1e-9")
    (job,) = planned(fresh_store_uri, (*NET, "freeze=all"))
    with pytest.raises(FrostlineError, match=r"features are not stored.*(?s:.*)reuse=off"):
        carry_out(job, tmp_path / "run")
    assert [run.status for run in store.find_runs({"frostline.kind": "job"})] == ["FAILED"]
    monkeypatch.delenv("FROSTLINE_FEATURES_GIB")
    assert carry_out(job, tmp_path / "run").state == "done"


def test_what_keeps_a_head_from_the_batch_of_candidates_is_part_of_its_identity() -> None:
    plain, alone = settings(*NET, "freeze=all"), settings(*NET, "freeze=all", "evidence=full")
    assert config_digest(plain) != config_digest(alone)
    typed = [settings(*NET, "lr=0.01", f"evidence={name}") for name in ("off", "full")]
    assert config_digest(typed[0]) == config_digest(typed[1])

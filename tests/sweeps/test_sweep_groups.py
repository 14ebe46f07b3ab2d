"""Jobs that train together: each has its run, and what one does or suffers stays its own."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mlflow import MlflowClient

from frostline.config.identity import job_digest
from frostline.config.schema import Settings
from frostline.errors import ConfigError, DataChangedError
from frostline.sweeps import launcher
from frostline.sweeps.execute import execute
from frostline.sweeps.execute_group import execute_group
from frostline.sweeps.job import Job
from frostline.sweeps.outcome import Outcome
from frostline.sweeps.plan import JobFacts, PlannedJob
from frostline.sweeps.plan_text import sharing_lines
from frostline.sweeps.preflight import check_jobs
from frostline.sweeps.progress import SweepProgress
from frostline.sweeps.sharing import sharing_of
from frostline.sweeps.signals import StopSignalError
from frostline.sweeps.worker_answer import Failure
from frostline.sweeps.worker_pool import WorkerPool
from frostline.tracking.prediction_files import read_predictions
from frostline.tracking.store import open_store
from frostline.training import head_group as heads
from tests.contracts.test_reuse_group import own_home, settings  # noqa: F401


def planned(
    *overrides: str, digest: str, frozen: int = 5, numerics: str = "cpu 32-true"
) -> PlannedJob:
    facts = JobFacts("data", "splits", "", 72, frozen, 5, 64, 2**20, numerics, "torch 2.14")
    return PlannedJob(0, overrides, settings(*overrides), digest, facts)


def of_sweep(one: Settings, place: int, uri: str, kind: str = "a") -> Settings:
    sweep = {"job_digest": f"{kind}{place:031x}{kind * 32}", "id": "sweep"}
    tracking = one.tracking.model_copy(update={"uri": uri, "experiment": kind})
    return one.model_copy(
        update={"tracking": tracking, "sweep": one.sweep.model_copy(update=sweep)}
    )


def with_own_digests(jobs: list[Settings]) -> list[Settings]:
    """Jobs as a plan would know them: a finished run answers only under its own digest."""
    facts = check_jobs(jobs, on_progress=lambda text: None)
    sweeps = [
        one.sweep.model_copy(update={"job_digest": job_digest(one, fact)})
        for one, fact in zip(jobs, facts, strict=True)
    ]
    return [
        one.model_copy(update={"sweep": sweep}) for one, sweep in zip(jobs, sweeps, strict=True)
    ]


def jobs_in(jobs: Iterable[Settings], folders: Iterable[Path]) -> list[Job]:
    return [Job(one, folder, {}) for one, folder in zip(jobs, folders, strict=True)]


def quiet(**_: object) -> None:
    """Nobody listens."""


def artifacts(tmp_path: Path, run_id: str) -> Path:
    return next(tmp_path.rglob(f"*{run_id}*/artifacts"))


SIX = [
    ["lr=0.003"], ["lr=0.03"], ["lr=0.01", "optimizer=sgd"], ["lr=0.01", "head=mlp"],
    ["lr=0.02", "batch_size=24"], ["lr=0.01", "loss=focal"],
]  # fmt: skip


def test_six_heads_together_leave_what_each_leaves_alone(
    tmp_path: Path, fresh_store_uri: str
) -> None:
    jobs = [settings(*overrides) for overrides in SIX]
    together = [of_sweep(one, place, fresh_store_uri) for place, one in enumerate(jobs)]
    folders = [tmp_path / f"group{place}" for place in range(6)]
    answers: list[Any] = execute_group(jobs_in(together, folders), on_progress=quiet)
    store = open_store(fresh_store_uri, "a", offline=False)
    client = MlflowClient(tracking_uri=fresh_store_uri)
    for place, (one, answer) in enumerate(zip(jobs, answers, strict=True)):
        assert answer.state == "done"
        folder = tmp_path / f"alone{place}"
        folder.mkdir()
        job = Job(of_sweep(one, place, fresh_store_uri, "b"), folder, {})
        alone = execute(job, on_progress=quiet)
        assert answer.params == alone.params
        assert answer.metrics.keys() == alone.metrics.keys()
        history = [client.get_metric_history(run, "train/loss") for run in ids(answer, alone)]
        assert [point.step for point in history[0]] == [0, 1, 2]
        assert history[0][0].value == pytest.approx(history[1][0].value, rel=1e-5)
        for name in set(alone.metrics) - {"time/train_s", "time/alone_s"}:
            assert answer.metrics[name] == pytest.approx(alone.metrics[name], rel=1e-3, abs=1e-4), (
                name
            )
        left, right = (artifacts(tmp_path, run) for run in ids(answer, alone))
        names = [
            sorted(str(p.relative_to(side)) for p in side.rglob("*")) for side in (left, right)
        ]
        assert set(names[1]) - set(names[0]) <= {"evidence/training_images.jpg"}
        assert set(names[0]) - set(names[1]) <= {"evidence/training_images.jpg"}
        for split in ("val", "test"):
            mine, theirs = (
                read_predictions(side / f"predictions/{split}.parquet") for side in (left, right)
            )
            assert np.array_equal(mine.predicted, theirs.predicted)
            assert np.allclose(mine.probs, theirs.probs, atol=2e-3)
        tags = [store.get_run(run).tags for run in ids(answer, alone)]
        assert "heads trained together" in tags[0]["frostline.reuse"]
        for tag in ("frostline.frozen_digest", "frostline.split_digest", "frostline.kind"):
            assert tags[0][tag] == tags[1][tag]
        saved = [torch.load(s / "checkpoints/best.ckpt", weights_only=True) for s in (left, right)]
        assert saved[0]["state_dict"].keys() == saved[1]["state_dict"].keys()
        assert (saved[0]["epoch"], saved[0]["global_step"]) == (
            saved[1]["epoch"], saved[1]["global_step"],
        )  # fmt: skip
        assert not list((tmp_path / f"group{place}").glob("*.ckpt"))


def ids(*answers: Any) -> list[str]:
    return [answer.run_id for answer in answers]


def test_a_member_that_diverges_touches_no_other(tmp_path: Path, fresh_store_uri: str) -> None:
    calm = [of_sweep(settings("lr=0.01"), 0, fresh_store_uri, "c")]
    wild = [["lr=0.01"], ["lr=1e38"], ["lr=0.003"]]
    three = with_own_digests(
        [of_sweep(settings(*o), place, fresh_store_uri) for place, o in enumerate(wild)]
    )
    alone: Any = execute_group(jobs_in(calm, [tmp_path / "calm"]), on_progress=quiet)[0]
    answers: list[Any] = execute_group(
        jobs_in(three, [tmp_path / str(n) for n in range(3)]), on_progress=quiet
    )
    assert [answer.state for answer in answers] == ["done", "failed", "done"]
    assert "not finite" in answers[1].reason
    for name in set(alone.metrics) - {"time/train_s", "time/alone_s"}:
        assert answers[0].metrics[name] == pytest.approx(alone.metrics[name], rel=1e-5), name
    store = open_store(fresh_store_uri, "a", offline=False)
    states = {run.tags["frostline.job_digest"]: run for run in store.find_runs({})}
    failed = states[str(three[1].sweep.job_digest)]
    assert failed.status == "FAILED"
    assert failed.tags["frostline.diverged"] == "true"
    assert {run.status for run in states.values() if run is not failed} == {"FINISHED"}
    # Once more: what is finished is taken, what failed is tried again in a run of its own.
    again: list[Any] = execute_group(
        jobs_in(three, [tmp_path / f"n{n}" for n in range(3)]), on_progress=quiet
    )
    assert [answer.state for answer in again] == ["reused", "failed", "reused"]
    assert len(store.find_runs({})) == 4


def test_a_group_that_is_refused_is_handed_back(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConfigError("features are not kept: no room")

    jobs = [of_sweep(settings(f"lr={lr}"), n, fresh_store_uri) for n, lr in enumerate((0.1, 0.2))]
    with monkeypatch.context() as patch:
        patch.setattr(heads, "train_head_group", refuse)
        folders = [tmp_path / "x", tmp_path / "y"]
        assert execute_group(jobs_in(jobs, folders), on_progress=quiet) == [None, None]
    folders[0].mkdir(exist_ok=True)
    store = open_store(fresh_store_uri, "a", offline=False)
    before = {run.run_id for run in store.find_runs({})}
    again = execute(Job(jobs[0], folders[0], {}), on_progress=quiet)
    assert again.run_id in before, "the same run is resumed"


def test_a_group_that_is_stopped_can_be_resumed(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise StopSignalError(15)

    jobs = [of_sweep(settings(f"lr={lr}"), n, fresh_store_uri) for n, lr in enumerate((0.1, 0.2))]
    folders = [tmp_path / "x", tmp_path / "y"]
    with monkeypatch.context() as patch:
        patch.setattr(heads, "train_head_group", stop)
        with pytest.raises(StopSignalError):
            execute_group(jobs_in(jobs, folders), on_progress=quiet)
    store = open_store(fresh_store_uri, "a", offline=False)
    assert [run.status for run in store.find_runs({})] == ["KILLED", "KILLED"]
    answers: list[Any] = execute_group(jobs_in(jobs, folders), on_progress=quiet)
    assert {a.run_id for a in answers} == {run.run_id for run in store.find_runs({})}
    assert {run.status for run in store.find_runs({})} == {"FINISHED"}


def test_what_jobs_share_is_counted_and_grouped() -> None:
    jobs = [
        planned("lr=0.1", digest="a"), planned("lr=0.2", digest="b"),
        planned("lr=0.1", "freeze=2", digest="c", frozen=2),
        planned("lr=0.2", "freeze=2", digest="d", frozen=2),
        planned("lr=0.1", "freeze=0", digest="e", frozen=0),
        planned("lr=0.1", "seed=7", digest="f"),
        planned("lr=0.3", "reuse=off", digest="g"),
        planned("lr=0.4", "augment=crop", digest="h"),
        planned("lr=0.5", "evidence=full", digest="i"),
        planned("lr=0.6", "trainer.accumulate_grad_batches=2", digest="j"),
    ]  # fmt: skip
    shared = sharing_of(jobs)
    assert [each.jobs for each in shared] == [4, 4, 2, 2, 1, 1, 1, 1, 4, 4]
    groups = [each.group for each in shared]
    assert groups[0] is not None
    assert groups == [groups[0], groups[0], *[None] * 8]


@pytest.mark.parametrize(
    ("numerics", "together"),
    [
        ("cpu 32-true", True),
        ("cpu bf16-mixed", False),
        ("cuda bf16-mixed, TF32 off, deterministic where possible", True),
        ("cuda 32-true, TF32 off, deterministic where possible", True),
        ("cuda 16-mixed, TF32 off, deterministic where possible", False),
        ("mps 32-true", False),
    ],
)
def test_on_which_devices_heads_train_together(numerics: str, together: bool) -> None:
    words = [] if numerics != "cpu bf16-mixed" else ["trainer.precision=bf16-mixed"]
    jobs = [
        planned(f"lr={lr}", "trainer=auto", *words, digest=str(lr), numerics=numerics)
        for lr in (0.1, 0.2)
    ]
    assert [each.group is not None for each in sharing_of(jobs)] == [together, together]


def test_who_reads_an_epoch_of_random_crops_is_counted() -> None:
    crop = ("augment=crop", "epochs=4")
    jobs = [
        planned("lr=0.1", "freeze=2", *crop, digest="a", frozen=2),
        planned("lr=0.2", "freeze=2", *crop, digest="b", frozen=2),
        planned("lr=0.1", "freeze=3", *crop, digest="c", frozen=3),
        planned("lr=0.1", "freeze=2", *crop, "head=mlp", digest="d", frozen=2),
        planned("lr=0.1", "freeze=2", *crop, "batch_size=8", digest="e", frozen=2),
        planned("lr=0.1", "freeze=2", *crop, "mix=mixup", digest="f", frozen=2),
        planned("lr=0.1", "freeze=2", *crop, "schedule=head_first", digest="g", frozen=2),
        planned("lr=0.1", "freeze=2", "augment=color", "epochs=4", digest="h", frozen=2),
        planned("lr=0.1", "freeze=2", *crop, "reuse=off", digest="i", frozen=2),
    ]  # fmt: skip
    # Three at depth 2, and the deeper one, which continues their outputs.
    assert [each.jobs for each in sharing_of(jobs)] == [4, 4, 1, 4, 1, 1, 1, 1, 1]
    assert [each.jobs for each in sharing_of(jobs[:2])] == [2, 2]
    (line,) = sharing_lines(jobs)
    assert line.startswith("  reuse: in 3 jobs the frozen stages run once an epoch for all")
    assert sharing_lines(jobs[4:]) == []
    seeds = [
        planned(
            "lr=0.1",
            "freeze=2",
            *crop,
            f"seed={seed}",
            *fixed,
            "weights=pretrained",
            digest=f"{seed}",
            frozen=2,
        )
        for seed, fixed in enumerate([("order_seed=3",), ("order_seed=3",), (), ("order_seed=2",)])
    ]
    # The last two have the same batches: what `order_seed` gives is the third job's own seed.
    assert [each.jobs for each in sharing_of(seeds)] == [2, 2, 2, 2]


def test_the_launcher_runs_a_group_once_and_the_rest_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, int]] = []

    def call(function: Any, jobs: Any, *_: Any, **__: Any) -> Any:
        if function is execute_group:
            calls.append(("group", len(jobs)))
            return [Outcome("", "0", "done"), None, Failure("diverged", "", None)]
        calls.append(("alone", jobs.settings.seed))
        return Outcome("", str(jobs.settings.seed), "done")

    worker = SimpleNamespace(call=call)
    monkeypatch.setattr("frostline.sweeps.worker_pool.WorkerPool.worker_for", lambda *_: worker)
    jobs = []
    for seed, group in enumerate(("g", None, "g", "g")):
        one = settings(f"seed={seed}")
        sweep = one.sweep.model_copy(update={"group": group, "job_digest": str(seed)})
        jobs.append(Job(one.model_copy(update={"sweep": sweep}), tmp_path, {}))
    with SweepProgress(total=4) as progress:
        outcomes = launcher.run_all(jobs, progress, WorkerPool())
    assert calls == [("group", 3), ("alone", 1), ("alone", 2)]
    assert [outcome.name for outcome in outcomes[:3]] == ["0", "1", "2"]
    assert (outcomes[3].state, outcomes[3].reason) == ("failed", "diverged")


def test_a_group_whose_process_is_killed_leaves_all_to_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = Failure("the process was killed by SIGKILL", "", None, -9)
    worker = SimpleNamespace(call=lambda *_, **__: killed)
    monkeypatch.setattr("frostline.sweeps.worker_pool.WorkerPool.worker_for", lambda *_: worker)
    jobs = []
    for seed in range(3):
        one = settings(f"seed={seed}", "fail_fast=null")
        sweep = one.sweep.model_copy(update={"group": "g", "job_digest": str(seed)})
        jobs.append(Job(one.model_copy(update={"sweep": sweep}), tmp_path, {}))
    with SweepProgress(total=3) as progress:
        outcomes = launcher.run_all(jobs, progress, WorkerPool())
    assert [outcome.was_killed for outcome in outcomes] == [True, True, True]


def test_heads_do_not_train_on_other_data_than_planned(
    tmp_path: Path, fresh_store_uri: str
) -> None:
    """The group is handed back, and its first job says by itself what has changed."""
    jobs = [of_sweep(settings(f"lr={lr}"), place, fresh_store_uri) for place, lr in enumerate("12")]
    wrong = {"data_fingerprint": "planned"}
    jobs = [job.model_copy(update={"sweep": job.sweep.model_copy(update=wrong)}) for job in jobs]
    batch = jobs_in(jobs, [tmp_path / "0", tmp_path / "1"])
    assert execute_group(batch, on_progress=quiet) == [None, None]
    with pytest.raises(DataChangedError, match="has changed since the sweep was planned"):
        execute(batch[0], on_progress=quiet)
    runs = open_store(fresh_store_uri, "a", offline=False).find_runs({})
    assert sorted(run.status for run in runs) == ["FAILED", "KILLED"]
    assert all("frostline.data_fingerprint" not in run.tags for run in runs)
    assert all(not run.metrics for run in runs)

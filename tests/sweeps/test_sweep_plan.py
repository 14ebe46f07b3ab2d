"""The plan: what determines a job, what is asked for twice, what it takes, what has changed."""

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from frostline.config.identity import config_digest, job_digest
from frostline.config.versions import RESULTS_VERSION
from frostline.sweeps.estimate import OF_A_CANDIDATE, WHILE_RUNNING, estimate
from frostline.sweeps.outcome import find_finished_runs, states_of
from frostline.sweeps.plan import (
    JobFacts,
    PlannedJob,
    merge_duplicates,
    plan_job,
    with_distinct_names,
    with_first_seeds,
)
from frostline.sweeps.plan_text import changes_since, job_lines, plan_lines
from frostline.tracking.records import RunRecord
from tests.composed import settings

FACTS = JobFacts("data", "splits", "", 100, 2, 5, 224, 3 * 2**20, "cpu 32-true", "torch 2.14")


def planned(*overrides: str, facts: JobFacts = FACTS) -> PlannedJob:
    made = settings(*overrides)
    return PlannedJob(0, overrides, made, job_digest(made, facts), facts)


def run(job: PlannedJob, status: str = "FINISHED", **values: Any) -> RunRecord:
    s = job.settings
    params = {
        "backbone": s.backbone,
        "freeze": str(s.freeze),
        "image_size": "224",
        "augment": s.augment.name,
        "data_fraction": str(s.data.fraction),
        "schedule": s.schedule.name,
        "epochs": str(s.epochs),
        "weights": s.weights,
    }
    tags = {
        "frostline.job_digest": job.digest,
        "frostline.config_digest": config_digest(s),
        "frostline.results_version": str(RESULTS_VERSION),
        "frostline.libraries": job.facts.libraries,
        "frostline.numerics": job.facts.numerics,
        "frostline.data_fingerprint": job.facts.data_fingerprint,
        "frostline.split_digest": job.facts.split_digest,
        "frostline.weights_file_digest": job.facts.weights_digest,
        "frostline.host": socket.gethostname(),
    } | values.pop("tags", {})
    metrics = values.pop("metrics", {"time/train_s": 12.0})
    return RunRecord("id", s.run_name, "leaves", status, params, metrics, tags, 0, 1)


@pytest.mark.parametrize(
    "override",
    [
        "tracking.offline=true",
        "rerun=true",
        "fail_fast=3",
        "on_oom=shrink",
        "report=false",
        "trainer.threads=1",
        "data.memory_gib=9",
        "sweep.id=other",
        "trainer=cpu",
        "trainer.precision=32-true",
    ],
)
def test_how_a_job_is_carried_out_does_not_change_what_it_is(override: str) -> None:
    assert planned(override).digest == planned().digest


@pytest.mark.parametrize(
    "override",
    ["freeze=2", "lr=0.1", "seed=1", "augment=none", "head=mlp", "epochs=3", "optimizer=sgd"],
)
def test_what_determines_the_result_does(override: str) -> None:
    assert planned(override).digest != planned().digest


@pytest.mark.parametrize(
    "field", ["data_fingerprint", "split_digest", "weights_digest", "numerics", "libraries"]
)
def test_content_counts_not_its_place(field: str) -> None:
    from dataclasses import replace

    other = replace(FACTS, **{field: "other"})
    assert planned(facts=other).digest != planned().digest


def test_duplicates_keep_the_first_and_name_the_rest() -> None:
    jobs = [planned("freeze=2"), planned("freeze=0"), planned("freeze=2", "fail_fast=1")]
    kept, left_out = merge_duplicates(jobs)
    assert kept == jobs[:2]
    assert left_out == [(jobs[2], jobs[0])]


def test_states_by_the_newest_run_but_finished_ones_win() -> None:
    jobs = [planned(f"freeze={depth}") for depth in (0, 1, 2, 3)]
    runs = [
        run(jobs[0], "FAILED"),
        run(jobs[0], "FINISHED"),
        run(jobs[1], "KILLED"),
        run(jobs[2], "FAILED"),
    ]
    assert set(find_finished_runs(jobs, runs)) == {jobs[0].digest}
    assert list(states_of(jobs, runs).values()) == ["finished", "half done", "to run", "to run"]


def test_time_scales_with_epochs_and_is_unknown_for_what_never_ran() -> None:
    ran = run(planned("freeze=2", "epochs=6", "lr=0.01"))  # 12 s for six epochs
    jobs = [planned("freeze=2", "epochs=3", "lr=0.01"), planned("freeze=1", "lr=0.01")]
    known = estimate(jobs, [ran])
    assert known.known_s == pytest.approx(6.0)
    assert known.unknown_jobs == 1
    assert known.kept_bytes == 2 * 3 * 2**20
    assert known.working_bytes == WHILE_RUNNING * 3 * 2**20


def test_another_machines_times_tell_nothing() -> None:
    elsewhere = run(planned(), tags={"frostline.host": "elsewhere"})
    assert estimate([planned()], [elsewhere]).unknown_jobs == 1


def test_what_has_changed_is_named() -> None:
    from dataclasses import replace

    job = planned("freeze=2")
    data = replace(FACTS, data_fingerprint="0123456789")
    assert changes_since([job], [run(job)]) == []
    assert changes_since([planned("freeze=1")], [run(job)]) == []
    (line,) = changes_since([planned("freeze=2", facts=data)], [run(job)])
    assert line == (
        "the data has changed (data then, 01234567 now): the earlier results of 1 job are not "
        "reused"
    )


@pytest.mark.parametrize(
    ("tags", "change"),
    [
        (
            {"frostline.weights_file_digest": "other"},
            "the weights of tf_efficientnet_lite0 have changed",
        ),
        (
            {"frostline.results_version": "0"},
            f"Frostline computes otherwise (results version 0 then, {RESULTS_VERSION} now)",
        ),
        ({"frostline.libraries": "torch 2.13"}, "torch was 2.13, is 2.14"),
        (
            {"frostline.numerics": "cuda bf16-mixed"},
            "the earlier runs computed with cuda bf16-mixed, now it is cpu 32-true",
        ),
    ],
)
def test_what_else_keeps_a_result_from_being_reused_is_named(
    tags: dict[str, str], change: str
) -> None:
    facts = replace(FACTS, weights_digest="file")
    jobs = [planned(f"freeze={depth}", facts=facts) for depth in (2, 1, 0)]
    lines = changes_since(jobs, [run(job, tags=tags) for job in jobs])
    assert lines == [f"{change}: the earlier results of 3 jobs are not reused"]


@pytest.mark.parametrize("then", ["", None])
def test_weights_whose_digest_was_not_known_have_not_changed(then: str | None) -> None:
    """A hub that states no digest of a file: it is known once the file is here."""
    job = planned("freeze=2", facts=replace(FACTS, data_fingerprint="other", weights_digest="w"))
    earlier = run(job, tags={"frostline.data_fingerprint": "data"})
    tags = dict(earlier.tags)
    if then is None:
        del tags["frostline.weights_file_digest"]
    else:
        tags["frostline.weights_file_digest"] = then
    (line,) = changes_since([job], [replace(earlier, tags=tags)])
    assert line.startswith("the data has changed (data then, other now)")


def test_another_file_of_weights_is_another_config(tmp_path: Path) -> None:
    """Both files were used before; then the data change, and nothing else does."""
    for name in ("a.pth", "b.pth"):
        (tmp_path / name).touch()
    facts = {name: replace(FACTS, weights_digest=name) for name in ("a.pth", "b.pth")}
    then = [planned("freeze=2", f"weights={tmp_path / n}", facts=f) for n, f in facts.items()]
    now = [
        planned("freeze=2", f"weights={tmp_path / n}", facts=replace(f, data_fingerprint="new"))
        for n, f in facts.items()
    ]
    assert changes_since(now, [run(job) for job in then]) == [
        "the data has changed (data then, new now): the earlier results of 2 jobs are not reused"
    ]
    assert changes_since(now[:1], [run(then[1])]) == []


@pytest.mark.parametrize("tag", ["data_fingerprint", "split_digest", "weights_file_digest"])
def test_a_run_that_read_other_inputs_than_its_digest_says_answers_no_job(tag: str) -> None:
    job = planned("freeze=2", facts=replace(FACTS, weights_digest="file"))
    right, wrong = run(job), run(job, tags={f"frostline.{tag}": "other"})
    assert find_finished_runs([job], [wrong]) == {}
    assert find_finished_runs([job], [wrong, right]) == {job.digest: right}
    assert states_of([job], [wrong]) == {job.digest: "to run"}


def test_runs_from_before_there_were_versions_are_named_once() -> None:
    job = planned("freeze=2")
    old = run(job)
    for tag in ("results_version", "libraries", "numerics"):
        del old.tags[f"frostline.{tag}"]  # type: ignore[attr-defined]
    (line,) = changes_since([job], [old])
    assert line.startswith("the earlier runs were recorded before results had a version")


def test_candidates_count_in_time_and_disk_once_for_all_seeds() -> None:
    ran = run(planned("freeze=2", "epochs=6", "lr=0.01"))  # 12 s for six epochs
    jobs = [planned("freeze=2", "tune.seed=0", f"seed={seed}") for seed in (0, 1)]
    cost = estimate(jobs, [ran])
    # 100 images are 4 steps an epoch: three candidates lose after two epochs each.
    assert (cost.tuned_cells, cost.tuned_epochs, cost.epochs) == (1, 6, 12)
    assert cost.tune_s == pytest.approx(12.0)
    assert cost.known_s == pytest.approx(24.0 + 12.0)
    assert cost.working_bytes == (WHILE_RUNNING + OF_A_CANDIDATE) * 3 * 2**20
    line = next(
        line for line in plan_lines(jobs, states_of(jobs, []), [], cost, []) if "tun" in line
    )
    assert line == (
        "  tuning: 1 cell chooses lr from several: about 0:12 of this time, 6 epochs beside the 12 "
        "of the jobs"
    )


def test_the_first_seed_of_a_cell_in_the_command_chooses_for_the_others() -> None:
    jobs = [
        planned(f"freeze={freeze}", f"seed={seed}").settings for freeze in (0, 2) for seed in (5, 3)
    ]
    assert [job.tune.seed for job in with_first_seeds(jobs)] == [5, 5, 5, 5]
    typed = [planned("tune.seed=9", "seed=1").settings, planned("lr=0.1", "seed=1").settings]
    assert [job.tune.seed for job in with_first_seeds(typed)] == [9, None]
    each = [planned("tune.each_seed=true", f"seed={seed}").settings for seed in (0, 1)]
    assert [job.tune.seed for job in with_first_seeds(each)] == [None, None]


def test_a_seed_with_folds_of_its_own_chooses_for_itself() -> None:
    # Another seed's folds have its test images among those that choose.
    for word, seeds in (("data.split_seed=null", [5, 3]), ("data.split_seed=0", [5, 5])):
        jobs = [planned("data.folds=3", word, f"seed={seed}").settings for seed in (5, 3)]
        assert [job.tune.seed for job in with_first_seeds(jobs)] == seeds


def test_all_seeds_of_a_cell_have_one_choice() -> None:
    def choice(*overrides: str) -> str | None:
        return plan_job(0, (), settings("tune.seed=0", *overrides), FACTS).settings.sweep.tuning

    assert choice("seed=0") == choice("seed=1") is not None
    assert choice("freeze=1") != choice()
    assert choice("tune.each_seed=true") != choice("tune.each_seed=true", "seed=1")
    assert choice("lr=0.1") is None


def test_the_plan_in_words() -> None:
    jobs = [planned("epochs=6", f"freeze={depth}", "lr=0.01") for depth in (0, 1, 2)]
    states = {jobs[0].digest: "finished", jobs[1].digest: "half done", jobs[2].digest: "to run"}
    cost = estimate(jobs[1:], [run(jobs[1])])
    lines = plan_lines(jobs, states, [(jobs[2], jobs[2])], cost, ["the splits have changed"])
    assert lines == [
        "3 jobs, 1 of them finished already, 1 half done",
        "  asked for twice, run once: freeze=2",
        "  the splits have changed",
        "  time: about 0:12 for 1 job, as earlier runs took; unknown for 1 job",
        "  disk: about 6.0 MiB of checkpoints stay, up to 24.0 MiB more while a job runs",
    ]
    assert job_lines(jobs, states) == [
        "  finished   freeze=0",
        "  half done  freeze=1",
        "  to run     freeze=2",
    ]


def test_a_name_tells_what_else_is_swept() -> None:
    jobs = with_distinct_names(
        [planned("freeze=2", f"lr={lr}", "epochs=3") for lr in ("0.1", "0.2")]
    )
    assert [job.settings.run_name for job in jobs] == [
        "tf_efficientnet_lite0-freeze2-seed0-lr=0.1",
        "tf_efficientnet_lite0-freeze2-seed0-lr=0.2",
    ]


def test_a_name_is_one_word_whatever_is_swept() -> None:
    jobs = [
        replace(planned(), overrides=overrides)
        for overrides in (
            ("+note='it is; ${x}'", "head.pool=max"),
            ("+note=b", "head.pool=avg"),
            ("freeze=2",),
        )
    ]
    assert [job.settings.sweep.label for job in with_distinct_names(jobs)] == [
        "note=_it_is_x_-head.pool=max",
        "note=b-head.pool=avg",
        None,
    ]


def test_a_label_changes_no_digest() -> None:
    jobs = [planned("lr=0.1"), planned("lr=0.2")]
    for job, renamed in zip(jobs, with_distinct_names(jobs), strict=True):
        assert config_digest(renamed.settings) == config_digest(job.settings)

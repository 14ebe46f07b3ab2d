"""A group of jobs trained in one process reports what each job reports when it is run by itself."""

from pathlib import Path
from typing import Any

import pytest
import torch

from frostline.config.schema import Settings
from frostline.sweeps.execute import execute
from frostline.sweeps.job import Job
from frostline.training.group_key import group_key
from frostline.training.head_group import train_head_group
from frostline.training.recorder import RunRecorder
from tests.composed import settings as composed
from tests.contracts.scheduled import Record

CONF = Path(__file__).resolve().parents[2] / "conf"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))


def settings(*overrides: str) -> Settings:
    small = [
        "backbone=test_resnet", "weights=random", "image_size=64", "freeze=all", "epochs=3",
        "data.n_images=120", "data.n_species=1", "data.size_px=64", "data.photos_per_leaf=1",
        "batch_size=16", "trainer.threads=1", "trainer=cpu", "augment=flip",
    ]  # fmt: skip
    return composed(*small, *overrides)


def key(*overrides: str, frozen: int = 5) -> str | None:
    return group_key(settings(*overrides), prefix_stages=frozen, num_stages=5)


def test_which_jobs_go_together() -> None:
    base = key("weights=pretrained", "backbone=tf_efficientnet_lite0")
    assert base is not None
    same: list[tuple[str, ...]] = [
        ("lr=0.1",),
        ("seed=3",),
        ("head=mlp",),
        ("optimizer=sgd",),
        ("epochs=9",),
    ]
    for overrides in same:
        assert key("weights=pretrained", "backbone=tf_efficientnet_lite0", *overrides) == base
    others: list[tuple[str, ...]] = [("image_size=96",), ("data.n_images=130",), ("head.pool=max",)]
    for overrides in others:
        assert key("weights=pretrained", "backbone=tf_efficientnet_lite0", *overrides) != base
    assert key("seed=1") != key("seed=2"), "random weights differ by seed"
    file = f"weights={__file__}"
    assert key(file, "seed=1") == key(file, "seed=2")
    partial = (file, "weights_partial=true")
    assert key(*partial, "seed=1") != key(*partial, "seed=2"), "so does what a file lacks"
    assert key(file, "weights_key=teacher") != key(file, "weights_key=student")
    for overrides in [
        ("augment=crop",), ("mix=mixup",), ("reuse=off",), ("trainer.precision=16-mixed",),
        ("trainer.accelerator=mps",), ("frozen_bn=train",), ("head=mlp", "head.batch_norm=true"),
    ]:  # fmt: skip
        assert key(*overrides) is None, overrides
    assert key(frozen=4) is None


def test_a_group_reports_what_single_jobs_report(tmp_path: Path, fresh_store_uri: str) -> None:
    variants = [
        ["lr=0.003"], ["lr=0.03"], ["lr=0.01", "head=mlp", "head.hidden=16"],
        ["lr=0.03", "batch_size=24"],
    ]  # fmt: skip
    chosen = [settings(*overrides) for overrides in variants]
    group = train_head_group(chosen, {}, on_progress=lambda **_: None)
    for place, one in enumerate(chosen):
        record: Any = Record()
        grouped = group.finish(place, tmp_path / f"group{place}", RunRecorder(record, tmp_path))
        tracking = one.tracking.model_copy(update={"uri": fresh_store_uri})
        sweep = one.sweep.model_copy(update={"job_digest": f"{place:064x}"})
        alone = one.model_copy(update={"tracking": tracking, "sweep": sweep})
        folder = tmp_path / str(place)
        folder.mkdir()
        outcome = execute(Job(alone, folder, env={}), on_progress=lambda **_: None)
        paid, takes = grouped.metrics["time/train_s"], grouped.metrics["time/alone_s"]
        # What all share counts whole for a job that has to do it by itself, and in parts here.
        assert takes - paid > group.shared_s / 2
        assert paid < group.seconds < takes + group.seconds
        metrics = {n: v for n, v in grouped.metrics.items() if not n.startswith("time/")}
        assert len(metrics) == 9  # and the chosen epoch
        wanted = {name: outcome.metrics[name] for name in metrics}
        assert metrics == pytest.approx(wanted, rel=1e-4, abs=1e-6)
        last = {name: record.curve(name)[-1] for name in ("train/loss", "val/loss", "lr")}
        assert last == pytest.approx({n: outcome.metrics[n] for n in last}, rel=1e-4, abs=1e-6)
        theirs = torch.load(
            next(tmp_path.rglob(f"*{outcome.run_id}*/artifacts/checkpoints/best.ckpt")),
            weights_only=True,
        )
        ours = torch.load(grouped.checkpoint, weights_only=True)
        assert ours["state_dict"].keys() == theirs["state_dict"].keys()
        for name, value in theirs["state_dict"].items():
            assert torch.allclose(ours["state_dict"][name], value, rtol=1e-3, atol=1e-4), name


def test_heads_of_a_group_see_the_views_of_their_own_augmentation(
    tmp_path: Path, fresh_store_uri: str
) -> None:
    augments = ["none", "flip", "dihedral"]
    chosen = [settings("lr=0.03", f"augment={augment}") for augment in augments]
    group = train_head_group(chosen, {}, on_progress=lambda **_: None)
    found: dict[str, float] = {}
    for place, one in enumerate(chosen):
        record: Any = Record()
        grouped = group.finish(place, tmp_path / f"group{place}", RunRecorder(record, tmp_path))
        tracking = one.tracking.model_copy(update={"uri": fresh_store_uri})
        sweep = one.sweep.model_copy(update={"job_digest": f"{place:064x}"})
        # Without the store, which holds what the group computed.
        update = {"tracking": tracking, "sweep": sweep, "reuse": "off"}
        folder = tmp_path / str(place)
        folder.mkdir()
        job = Job(one.model_copy(update=update), folder, env={})
        alone = execute(job, on_progress=lambda **_: None).metrics
        losses = {n: v for n, v in grouped.metrics.items() if n.endswith("loss")}
        assert len(losses) > 1
        found[one.augment.name] = losses["test/loss"]
        assert losses == pytest.approx({n: alone[n] for n in losses}, rel=1e-4), one.augment.name
    assert len(set(found.values())) == len(augments)

"""What must hold for every schedule on every backbone: who trains when, at which rate, on what."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from frostline.backbones.state_digest import named_state
from frostline.errors import FrostlineError
from frostline.inference.rebuild import rebuild_run
from frostline.sweeps.preflight import check_jobs
from frostline.tracking.reader import Reader
from frostline.training.assembly import assemble
from frostline.training.checkpoint import load_checkpoint
from frostline.training.schedule import phase_of
from tests.contracts.scheduled import assert_equal_state, ran, settings

# A CNN with BatchNorm, a transformer, a CNN with layer norm, and a depth inside a stage.
CASES = [
    ("test_resnet", 2),
    ("test_vit", 1),
    ("test_convnext", 3),
    ("test_resnet", "layer2"),
    ("test_vit", "blocks.1"),
]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("schedule", "backbone", "freeze"),
    [("gradual", *case) for case in CASES[:2]]
    + [("head_first", *CASES[-1])]
    + [("gradual", "test_resnet", "[3,4]"), ("head_first", "test_vit", "middle")]
    + [
        pytest.param(schedule, *case, marks=pytest.mark.slow)
        for schedule, cases in (("gradual", CASES[2:]), ("head_first", CASES[:-1]))
        for case in cases
    ],
)
def test_only_what_the_phase_thaws_trains_and_only_that_changes(
    schedule: str, backbone: str, freeze: int | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(f"backbone={backbone}", f"freeze={freeze}", f"schedule={schedule}", "epochs=5")
    seen = ran(given, tmp_path, monkeypatch)
    made = assemble(given, lambda **_: None)
    gradual_phases = 6 - made.cut.depth.frozen_stages
    assert len(made.phases) == (2 if schedule == "head_first" else gradual_phases)
    model = made.backbone.model
    before = seen.start
    assert sorted(seen.epochs) == [0, 1, 2, 3, 4]
    for number, epoch in sorted(seen.epochs.items()):
        phase = phase_of(made.phases, number)
        frozen = made.backbone.depth(phase.freeze).frozen_tensors
        parameters = {name for name, _ in model.named_parameters()}
        assert epoch.trains == parameters - frozen
        assert epoch.awake == awake_of(model, frozen) - batch_norms(model)
        changed = {n for n, tensor in epoch.state.items() if not torch.equal(tensor, before[n])}
        assert not changed & frozen
        # All that trains moves, but for what has no gradient (a mask, a bias before a norm).
        assert len(changed & epoch.trains) >= 0.8 * len(epoch.trains)
        # Statistics that the head was trained on stay, though scale and shift of BatchNorm train.
        assert not any(name.endswith("running_mean") for name in changed)
        before = epoch.state
        assert seen.record.metrics["train/frozen_stages", number] == float(
            made.backbone.depth(phase.freeze).frozen_stages
        )
    for name in made.backbone.depth(freeze).frozen_tensors:
        assert torch.equal(seen.start[name], seen.epochs[4].state[name])
    assert seen.record.params["frozen_stages"] == made.cut.depth.frozen_stages
    assert seen.record.params["trainable_params"] == sum(
        p.numel() for n, p in model.named_parameters() if n not in made.cut.frozen_modules.names
    ) + sum(p.numel() for p in made.head.parameters())
    assert seen.record.tags["frostline.phases"].startswith("epoch 1")


def awake_of(model: torch.nn.Module, frozen: frozenset[str]) -> set[str]:
    """The modules with parameters of their own that hold anything that is not frozen."""
    found = set()
    for path, module in model.named_modules():
        names = {f"{path}.{name}".removeprefix(".") for name, _ in named_state(module)}
        if any(True for _ in module.parameters(recurse=False)) and not names <= frozen:
            found.add(path)
    return found


def batch_norms(model: torch.nn.Module) -> set[str]:
    """Their paths."""
    kind = torch.nn.modules.batchnorm._BatchNorm
    return {path for path, module in model.named_modules() if isinstance(module, kind)}


def test_thawed_statistics_adapt_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("backbone=test_resnet", "freeze=3", "schedule=head_first", "schedule.head_epochs=1")
    seen = ran(settings(*options, "schedule.thawed_bn=train", "epochs=2"), tmp_path, monkeypatch)
    model = assemble(settings(*options), lambda **_: None).backbone
    frozen = model.depth(3).frozen_tensors
    assert seen.epochs[1].awake == awake_of(model.model, frozen)
    means = {name for name in seen.start if name.endswith("running_mean")}
    for name in means:
        first, last = (seen.epochs[number].state[name] for number in (0, 1))
        assert torch.equal(first, last) == (name in frozen)
    assert len(means - frozen) > 0


def test_rates_by_group_and_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = settings(
        "backbone=test_resnet", "freeze=3", "schedule=gradual", "schedule.lr_factor=0.5",
        "epochs=4", "optimizer=sgd", "optimizer.layer_decay=0.1", "lr=0.01", "lr_schedule=step",
        "lr_schedule.every_epochs=3",
    )  # fmt: skip
    seen = ran(given, tmp_path, monkeypatch)
    # Head, stage 5, stage 4; matrices and the rest; at the end of an epoch the next one's.
    assert seen.record.curve("lr") == pytest.approx([0.01, 0.005, 0.005, 0.0005])
    scales = [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]
    for number, peak in enumerate([0.005, 0.005, 0.0005]):
        assert seen.epochs[number].rates == pytest.approx([peak * scale for scale in scales])


def test_a_plateau_lowers_the_rate_and_a_phase_counts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(
        "backbone=test_resnet", "freeze=4", "schedule=head_first", "schedule.head_epochs=2",
        "schedule.lr_factor=1.0", "epochs=5", "lr_schedule=plateau", "lr=1e-9", "seed=1",
        "lr_schedule.patience_epochs=1", "callbacks.monitor=val/f1_macro", "augment=none",
    )  # fmt: skip
    # At such a rate nothing improves: best in epoch 1, waiting in 2; a new phase; 3, 4: a drop.
    seen = ran(given, tmp_path, monkeypatch)
    assert len(set(seen.record.curve("val/f1_macro"))) == 1
    assert seen.record.curve("lr") == pytest.approx([1e-9, 1e-9, 1e-9, 1e-9, 1e-9])
    low = settings(
        "backbone=test_resnet", "freeze=4", "schedule=head_first", "schedule.head_epochs=2",
        "schedule.lr_factor=1.0", "epochs=5", "lr_schedule=plateau", "lr=1e-9", "seed=1",
        "lr_schedule.patience_epochs=1", "lr_schedule.min_lr=0", "augment=none",
        "lr_schedule.factor=0.5",
    )  # fmt: skip
    again = ran(low, tmp_path / "low", monkeypatch)
    assert again.record.curve("lr") == pytest.approx([1e-9, 1e-9, 1e-9, 1e-9, 5e-10])


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit"])
def test_stored_outputs_give_the_numbers_of_images_in_every_phase(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (f"backbone={backbone}", "freeze=3", "schedule=head_first", "epochs=4")
    # Many jobs share the outputs, so keeping them pays on any machine.
    with_store = ran(settings(*options, "sweep.sharing=1000"), tmp_path / "auto", monkeypatch)
    without = ran(settings(*options, "reuse=off"), tmp_path / "off", monkeypatch)
    assert [epoch.stored for _, epoch in sorted(with_store.epochs.items())] == [True] * 4
    assert not any(epoch.stored for epoch in without.epochs.values())
    assert with_store.record.tags["frostline.reuse_phase1"].startswith("reuse on")
    assert with_store.record.tags["frostline.reuse"].startswith("reuse on")
    for metric in ("train/loss", "val/loss"):
        one, other = (each.record.curve(metric) for each in (with_store, without))
        assert one == pytest.approx(other, rel=1e-4)
    for name in ("test/loss", "test/f1_macro", "val_best/f1_macro"):
        assert with_store.figures[name] == pytest.approx(without.figures[name], rel=1e-3, abs=1e-4)


def test_patience_does_not_end_a_run_before_its_last_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = ran(
        settings(
            "backbone=test_resnet", "freeze=3", "schedule=head_first", "schedule.head_epochs=3",
            "epochs=7", "lr=1e-9", "callbacks.patience_epochs=1", "augment=none",
        ),
        tmp_path,
        monkeypatch,
    )  # fmt: skip
    # Nothing improves after epoch 0: three epochs of the head, and one of the last phase.
    assert sorted(seen.epochs) == [0, 1, 2, 3]


def test_what_a_schedule_cannot_do_is_refused_before_the_first_job() -> None:
    jobs = [
        settings("backbone=test_resnet", f"freeze={freeze}", f"schedule={name}", "epochs=3")
        for freeze, name in (("all", "head_first"), (0, "gradual"), (3, "gradual"))
    ]
    with pytest.raises(FrostlineError) as refused:
        check_jobs(jobs, on_progress=lambda **_: None)
    assert "schedule=head_first freeze=all: only the head trains" in str(refused.value)
    assert "freeze=0 is reached after 5 epochs, and epochs=3" in str(refused.value)
    assert "freeze=3 is reached" not in str(refused.value)


def test_a_run_with_a_schedule_is_built_again_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings("backbone=test_resnet", "freeze=3", "schedule=gradual", "epochs=3")
    seen = ran(given, tmp_path, monkeypatch)
    # An older run's config lacks what came with the schedules.
    values = given.model_dump(mode="json")
    del values["optimizer"]["layer_decay"]
    (seen.work / "config.yaml").write_text(yaml.safe_dump(values))
    (seen.work / "classes.json").write_text(json.dumps({"classes": list("abcde")}))

    def no_store() -> Reader:
        raise AssertionError("a checkpoint is a file")

    rebuilt = rebuild_run(no_store, str(seen.work / "best.ckpt"))
    assert rebuilt.settings == given
    best = load_checkpoint(seen.work / "best.ckpt")
    assert_equal_state(
        {f"backbone.model.{n}": t for n, t in rebuilt.backbone.model.state_dict().items()}
        | {f"head.{n}": t for n, t in rebuilt.head.state_dict().items()},
        dict(best["state_dict"]),
    )
    best_epoch = best["epoch"]
    scores = seen.record.curve("val/f1_macro")
    assert scores[best_epoch] == max(scores)
    assert seen.figures["val_best/f1_macro"] == pytest.approx(max(scores))

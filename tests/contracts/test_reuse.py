"""A run on stored outputs is the run on images: step by step, over families, depths and views."""

import json
import resource
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from frostline.backbones.compute_mode import ComputeMode, Layout
from frostline.data.order import BatchRows
from frostline.features import prefix_outputs
from frostline.features.chain import find_shallower
from frostline.features.disk_speed import disk_speeds
from frostline.features.feature_store import FeatureStore, store_folder
from frostline.features.reuse import open_inputs
from frostline.features.stored_epochs import Readers
from tests.contracts.reused import (
    FAMILIES,
    Trained,
    prefix_job,
    relative_gaps,
    small_leaves,
    train,
)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    torch.set_num_threads(1)


def check_same(without: Trained, with_store: Trained, epochs: int) -> None:
    gaps = relative_gaps(without.losses, with_store.losses)
    first = gaps[: len(gaps) // epochs]
    # Whole batches are computed as the first epoch asks for them, so these are the same bits.
    assert first == [0.0] * len(first)
    assert max(gaps) < 1e-4
    assert torch.equal(without.val_logits.argmax(1), with_store.val_logits.argmax(1))
    assert torch.allclose(without.val_logits, with_store.val_logits, rtol=1e-3, atol=1e-4)
    assert without.state.keys() == with_store.state.keys()


@pytest.mark.parametrize("freeze", [2, "all"])
@pytest.mark.parametrize("name", FAMILIES)
def test_same_training_over_families(name: str, freeze: int | str, tmp_path: Path) -> None:
    table = small_leaves()
    without = train(table, name, freeze, tmp_path, reuse="off", augment="flip")
    with_store = train(table, name, freeze, tmp_path, reuse="auto", augment="flip")
    assert not without.inputs.decision.reuse
    assert with_store.inputs.decision.reuse, with_store.inputs.decision.reason
    check_same(without, with_store, epochs=2)


@pytest.mark.slow
@pytest.mark.parametrize("freeze", [1, 3, 4, 5])
@pytest.mark.parametrize("name", FAMILIES)
def test_same_training_at_every_depth(name: str, freeze: int, tmp_path: Path) -> None:
    table = small_leaves()
    without = train(table, name, freeze, tmp_path, reuse="off", augment="flip")
    with_store = train(table, name, freeze, tmp_path, reuse="auto", augment="flip")
    assert with_store.inputs.decision.reuse, with_store.inputs.decision.reason
    check_same(without, with_store, epochs=2)


@pytest.mark.parametrize(
    ("name", "sides"),
    [("test_resnet", (64, 96)), ("test_convnext", (96, 64)), ("test_vit", (64, 96))],
)
def test_same_training_on_rectangles(name: str, sides: tuple[int, int], tmp_path: Path) -> None:
    table = small_leaves()
    found = [
        train(table, name, 2, tmp_path, reuse=reuse, augment="flip", image_size=sides)
        for reuse in ("off", "auto")
    ]
    assert found[1].inputs.decision.reuse, found[1].inputs.decision.reason
    check_same(found[0], found[1], epochs=2)
    # What is stored for the same area the other way round, or for a square, is another image.
    turned = train(table, name, 2, tmp_path, reuse="auto", augment="flip", image_size=sides[::-1])
    assert turned.inputs.computed > 0
    assert [float(x) for x in turned.losses] != [float(x) for x in found[1].losses]


def test_stored_outputs_know_height_from_width() -> None:
    keys = []
    for sides in (64, (64, 96), (96, 64)):
        job, _, _ = prefix_job(
            small_leaves(), "test_resnet", 2, augment="flip", seed=0, batch_size=8,
            image_size=sides,
        )  # fmt: skip
        keys.append(job.key())
    assert [key.image_size_px for key in keys] == [64, "64x96", "96x64"]
    assert len({key.digest for key in keys}) == 3
    assert "width_px" not in keys[0].geometry


@pytest.mark.parametrize("augment", ["none", "dihedral"])
def test_same_training_over_views(augment: str, tmp_path: Path) -> None:
    table = small_leaves()
    without = train(table, "test_resnet", 3, tmp_path, reuse="off", augment=augment, epochs=3)
    with_store = train(table, "test_resnet", 3, tmp_path, reuse="auto", augment=augment, epochs=3)
    check_same(without, with_store, epochs=3)


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext"])
@pytest.mark.parametrize(
    ("forward", "training"),
    [
        ("contiguous", "contiguous"),
        ("contiguous", "channels_last"),
        ("channels_last", "contiguous"),
    ],
)
def test_same_training_in_other_layouts(
    name: str, forward: Layout, training: Layout, tmp_path: Path
) -> None:
    table, ways = (
        small_leaves(),
        (ComputeMode("32-true", forward), ComputeMode("32-true", training)),
    )
    found = [
        train(table, name, 2, tmp_path, reuse=reuse, forward=ways[0], training=ways[1])
        for reuse in ("off", "auto")
    ]
    assert found[1].inputs.decision.reuse, found[1].inputs.decision.reason
    check_same(found[0], found[1], epochs=2)
    usual = train(table, name, 2, tmp_path, reuse="off")
    assert max(relative_gaps(usual.losses, found[0].losses)) < 1e-3


def test_only_what_will_be_drawn_is_computed(tmp_path: Path) -> None:
    table = small_leaves()
    none = train(table, "test_resnet", "all", tmp_path, reuse="auto", augment="none")
    flip = train(table, "test_resnet", "all", tmp_path, reuse="auto", augment="flip")
    again = train(table, "test_resnet", "all", tmp_path, reuse="auto", augment="flip")
    assert none.inputs.computed == 60
    # View 0 of all images is there already; at most the mirror images of 36 are new.
    assert 18 <= flip.inputs.computed <= 36
    assert again.inputs.computed == 0
    assert [float(x) for x in again.losses] == [float(x) for x in flip.losses]


def test_another_seed_adds_what_it_lacks_and_trains_as_without(tmp_path: Path) -> None:
    table = small_leaves()
    train(table, "test_convnext", 2, tmp_path, reuse="auto", augment="flip", seed=0)
    without = train(table, "test_convnext", 2, tmp_path, reuse="off", augment="flip", seed=1)
    second = train(table, "test_convnext", 2, tmp_path, reuse="auto", augment="flip", seed=1)
    assert 0 < second.inputs.computed < 60
    # Other batches were computed for seed 0: the same within rounding, no longer bit by bit.
    gaps = relative_gaps(without.losses, second.losses)
    assert max(gaps[: len(gaps) // 2]) < 1e-5
    assert torch.equal(without.val_logits.argmax(1), second.val_logits.argmax(1))


@pytest.mark.parametrize(("name", "shallow", "deep"), [
    ("test_resnet", 1, 3),
    ("test_resnet", 2, "all"),
    ("test_vit", 2, 4),
    ("test_convnext", 1, 4),
])  # fmt: skip
def test_deeper_prefix_starts_from_a_shallower(
    name: str, shallow: int, deep: int | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = small_leaves()
    train(table, name, shallow, tmp_path, reuse="auto", epochs=1)
    without = train(table, name, deep, tmp_path, reuse="off")
    seen: list[int] = []
    spied = prefix_outputs._outputs_from
    monkeypatch.setattr(
        prefix_outputs, "_outputs_from", lambda *args: (seen.append(len(args[1])), spied(*args))[1]
    )
    with_store = train(table, name, deep, tmp_path, reuse="auto")
    assert sum(seen) > 1, "the deeper prefix was computed from the images"
    gaps = relative_gaps(without.losses, with_store.losses)
    assert max(gaps[: len(gaps) // 2]) < 1e-5
    assert torch.equal(without.val_logits.argmax(1), with_store.val_logits.argmax(1))


@pytest.mark.parametrize(
    "handed",
    [None, "x", [{"name": "x", "shape": [1]}], [{"name": "x", "rows": 1, "shape": None}], [7]],
)
@pytest.mark.parametrize("unknown_fields", [{}, {"code": "0123"}])
def test_entries_in_another_format_are_ignored(
    handed: object, unknown_fields: dict[str, str]
) -> None:
    job, backbone, parts = prefix_job(
        small_leaves(), "test_resnet", 3, augment="none", seed=0, batch_size=16
    )
    store = FeatureStore(store_folder(), 10**9)
    folder = store.folder / "0123"
    folder.mkdir(parents=True)
    about = asdict(job.key()) | {"depth": "1", "handed": handed} | unknown_fields
    (folder / "entry.json").write_text(json.dumps(about))
    wanted = [BatchRows(np.array([0]), np.array([0]))]
    assert find_shallower(store, job.key(), backbone, parts, wanted) is None


def test_reasons_against(tmp_path: Path) -> None:
    table = small_leaves()
    for freeze, reuse, reason in [(0, "auto", "nothing is frozen"), (2, "off", "reuse=off")]:
        job, _, _ = prefix_job(table, "test_resnet", freeze, augment="crop", seed=0, batch_size=16)
        inputs = open_inputs(
            job, reuse=reuse, mix="none", epochs=1, readers=Readers(), on_progress=lambda **_: None
        )
        assert not inputs.decision.reuse
        assert reason in inputs.decision.reason
        assert inputs.data is job.data


@pytest.mark.parametrize("fault", ["full", "no folder"])
def test_a_run_continues_without_a_store_that_cannot_be_written(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, _, _ = prefix_job(small_leaves(), "test_resnet", 1, augment="none", seed=0, batch_size=16)
    job.data.pixels(job.data.evaluation)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if fault == "no folder":
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "file"))
    else:
        disk_speeds(store_folder())
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    messages: list[str] = []
    try:
        inputs = open_inputs(
            job,
            reuse="auto",
            mix="none",
            epochs=2,
            readers=Readers(100),
            on_progress=lambda text: messages.append(text),
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not inputs.decision.reuse
    assert "cannot be written" in inputs.decision.reason
    assert any("continues without stored features" in text for text in messages)
    assert inputs.data is job.data
    assert not list(tmp_path.rglob("*.outputs")) + list(tmp_path.rglob("*.tmp"))


def test_store_of_other_weights_or_images_is_not_used(tmp_path: Path) -> None:
    one, _, _ = prefix_job(small_leaves(), "test_resnet", 2, augment="none", seed=0, batch_size=16)
    again, _, _ = prefix_job(small_leaves(), "test_resnet", 2, augment="flip", seed=5, batch_size=8)
    assert one.key() == again.key()
    deeper, _, _ = prefix_job(
        small_leaves(), "test_resnet", 3, augment="none", seed=0, batch_size=16
    )
    images, _, _ = prefix_job(
        small_leaves(75), "test_resnet", 2, augment="none", seed=0, batch_size=16
    )
    before = one.key()
    with torch.no_grad():
        next(one.backbone.model.parameters()).mul_(1.5)
    keys = {before, deeper.key(), images.key(), one.key()}
    for way in (ComputeMode("bf16-mixed"), ComputeMode("32-true", "contiguous")):
        keys.add(replace(again, forward=way).key())
    assert len(keys) == 6

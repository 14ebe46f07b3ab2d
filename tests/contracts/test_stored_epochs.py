"""Random augmentation behind frozen stages: one training computes an epoch, the others read it.

All of them, and one without the store, must be the same training bit by bit.
"""

import multiprocessing
import re
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from frostline.features.feature_store import FeatureStore, store_folder
from frostline.features.segment_writer import SegmentWriter
from frostline.features.stored_file import open_segment
from tests.contracts.reused import FAMILIES, Trained, small_leaves, train
from tests.contracts.scheduled import assert_equal_state, ran, settings


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    torch.set_num_threads(1)


def check_identical(one: Trained, other: Trained) -> None:
    assert len(one.losses) == len(other.losses) > 0
    assert all(torch.equal(a, b) for a, b in zip(one.losses, other.losses, strict=True))
    assert torch.equal(one.val_logits, other.val_logits)
    assert one.state.keys() == other.state.keys()
    assert all(torch.equal(one.state[name], other.state[name]) for name in one.state)


def where_from(trained: Trained) -> tuple[int, int, int]:
    epochs = trained.inputs.epochs
    assert epochs is not None
    return epochs.read, epochs.computed, epochs.direct


@pytest.mark.parametrize("freeze", [2, "all"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_bits_over_families(name: str, freeze: int | str, tmp_path: Path) -> None:
    table = small_leaves()
    found = [
        train(table, name, freeze, tmp_path, reuse=reuse, augment="crop")
        for reuse in ("off", "auto", "auto")
    ]
    assert found[0].inputs.epochs is None
    assert [where_from(each) for each in found[1:]] == [(0, 2, 0), (2, 0, 0)]
    check_identical(found[0], found[1])
    check_identical(found[0], found[2])
    assert found[0].losses[0] != found[0].losses[3]


@pytest.mark.slow
@pytest.mark.parametrize("freeze", [1, 3, 4, 5])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_bits_at_every_depth(name: str, freeze: int, tmp_path: Path) -> None:
    table = small_leaves()
    found = [
        train(table, name, freeze, tmp_path, reuse=reuse, augment="crop")
        for reuse in ("off", "auto", "auto")
    ]
    assert [where_from(each) for each in found[1:]] == [(0, 2, 0), (2, 0, 0)]
    check_identical(found[0], found[1])
    check_identical(found[0], found[2])


@pytest.mark.parametrize("augment", ["trivial", "randaugment", "color", "crop_always"])
def test_the_same_bits_over_augmentations(augment: str, tmp_path: Path) -> None:
    table = small_leaves()
    found = [
        train(table, "test_resnet", 3, tmp_path, reuse=reuse, augment=augment)
        for reuse in ("off", "auto", "auto")
    ]
    assert [where_from(each) for each in found[1:]] == [(0, 2, 0), (2, 0, 0)]
    check_identical(found[0], found[1])
    check_identical(found[0], found[2])


@pytest.mark.parametrize("freeze", [4, "all"])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_deeper_prefix_continues_a_shallower(
    name: str, freeze: int | str, tmp_path: Path
) -> None:
    table = small_leaves()
    train(table, name, 2, tmp_path, reuse="auto", augment="crop")
    without = train(table, name, freeze, tmp_path, reuse="off", augment="crop")
    lone = train(table, name, freeze, tmp_path, reuse="auto", augment="crop", readers=1)
    assert lone.inputs.epochs is not None
    assert (lone.inputs.epochs.continued, where_from(lone)) == (2, (0, 0, 0))
    check_identical(without, lone)
    deeper = train(table, name, freeze, tmp_path, reuse="auto", augment="crop")
    assert where_from(deeper) == (0, 2, 0)
    check_identical(without, deeper)


def test_nothing_is_stored_that_nobody_else_reads(tmp_path: Path) -> None:
    table = small_leaves()
    without = train(table, "test_resnet", 2, tmp_path, reuse="off", augment="crop")
    alone = train(table, "test_resnet", 2, tmp_path, reuse="auto", augment="crop", readers=1)
    assert where_from(alone) == (0, 0, 2)
    assert "no other training reads them" in alone.inputs.outcome
    check_identical(without, alone)
    entries = FeatureStore(store_folder(), 10**9).list_entries()
    assert [entry.sweep for entry in entries] == [None], "those of validation and test"
    assert alone.inputs.decision.reuse


def test_another_seed_has_images_of_its_own(tmp_path: Path) -> None:
    table = small_leaves()
    for seed, batch_size in ((0, 16), (1, 16), (0, 8)):
        trained = train(
            table, "test_resnet", 2, tmp_path, reuse="auto", augment="crop", seed=seed,
            batch_size=batch_size,
        )  # fmt: skip
        assert where_from(trained) == (0, 2, 0)


def epoch_files() -> list[Path]:
    store = FeatureStore(store_folder(), 10**9)
    found = [store.folder / entry.digest for entry in store.list_entries() if entry.sweep == ""]
    return [file for folder in found for file in folder.glob("*.outputs")]


def test_layers_behind_the_cut_draw_the_same_numbers(tmp_path: Path) -> None:
    """The book's network has dropout after each convolution; augmentation draws its own numbers."""
    table = small_leaves()
    found = [
        train(table, "book_cnn", 2, tmp_path, reuse=reuse, augment="crop")
        for reuse in ("off", "auto", "auto")
    ]
    assert [where_from(each) for each in found[1:]] == [(0, 2, 0), (2, 0, 0)]
    check_identical(found[0], found[1])
    check_identical(found[0], found[2])


def test_a_damaged_epoch_is_made_again(tmp_path: Path) -> None:
    table = small_leaves()
    first = train(table, "test_resnet", 2, tmp_path, reuse="auto", augment="crop")
    file = epoch_files()[0]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    again = train(table, "test_resnet", 2, tmp_path, reuse="auto", augment="crop")
    assert where_from(again) == (1, 1, 0)
    check_identical(first, again)


def test_outputs_of_another_computation_are_not_used(tmp_path: Path) -> None:
    table = small_leaves()
    without = train(table, "test_resnet", 2, tmp_path, reuse="off", augment="crop")
    train(table, "test_resnet", 2, tmp_path, reuse="auto", augment="crop")
    for file in epoch_files():
        segment = open_segment(file)
        values = segment.form.to_outputs(np.array(segment.stored)) * (1 + 1e-6)
        with SegmentWriter(file.parent, segment.pairs, segment.form) as writer:
            writer.append(values)
            writer.commit()
        file.unlink()
    wary = train(table, "test_resnet", 2, tmp_path, reuse="auto", augment="crop")
    assert where_from(wary) == (0, 0, 2)
    assert "are not those computed here" in wary.inputs.outcome
    check_identical(without, wary)


def test_a_disk_that_fills_up_ends_the_storing_and_not_the_training(tmp_path: Path) -> None:
    table = small_leaves()
    without = train(table, "test_resnet", 1, tmp_path, reuse="off", augment="crop", image_size=128)
    # The images that are evaluated are stored already, and the disk is known.
    train(
        table, "test_resnet", 1, tmp_path, reuse="auto", augment="crop", image_size=128, readers=1
    )
    # Room for a checkpoint, and not for an epoch.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    messages: list[str] = []
    try:
        full = train(
            table, "test_resnet", 1, tmp_path, reuse="auto", augment="crop", image_size=128,
            on_progress=lambda text: messages.append(text),
        )  # fmt: skip
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert where_from(full) == (0, 0, 2)
    assert any("continues without stored epochs" in text for text in messages)
    assert "cannot be written" in full.inputs.outcome
    check_identical(without, full)
    assert not epoch_files() + list(store_folder().rglob("*.tmp"))


def test_epochs_that_do_not_fit_come_as_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = small_leaves()
    without = train(table, "test_resnet", 2, tmp_path, reuse="off", augment="crop", epochs=3)
    # An epoch is 36 outputs of 32 KiB: two fit, and the third must not push the first out.
    monkeypatch.setenv("FROSTLINE_FEATURES_GIB", str(2.9 * 36 * 32 * 2**10 / 2**30))
    first, second = (
        train(table, "test_resnet", 2, tmp_path, reuse="auto", augment="crop", epochs=3)
        for _ in range(2)
    )
    assert [where_from(each) for each in (first, second)] == [(0, 2, 1), (2, 0, 1)]
    assert "there is space for" in second.inputs.outcome
    check_identical(without, first)
    check_identical(without, second)


def _train_beside(folder: Path, barrier: Any, results: Any) -> None:
    table = small_leaves()
    barrier.wait(60)
    trained = train(table, "test_resnet", 2, folder, reuse="auto", augment="crop", readers=2)
    results.put((where_from(trained), [float(loss) for loss in trained.losses]))


def test_two_at_once_compute_each_epoch_once(tmp_path: Path) -> None:
    small_leaves()
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(2), context.Queue()
    both = [
        context.Process(target=_train_beside, args=(tmp_path, barrier, results)) for _ in range(2)
    ]
    for process in both:
        process.start()
    (one, losses), (other, same) = (results.get(timeout=120) for _ in both)
    for process in both:
        process.join()
    assert one[0] + other[0] == one[1] + other[1] == 2
    assert one[2] == other[2] == 0
    assert losses == same


@pytest.mark.parametrize("schedule", ["head_first", "gradual"])
def test_phases_and_a_resumed_run_have_the_same_bits(
    schedule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (
        "backbone=test_resnet", "freeze=3", f"schedule={schedule}", "epochs=4", "augment=crop",
        "sweep.sharing=1000",
    )  # fmt: skip
    without = ran(settings(*options, "reuse=off"), tmp_path / "off", monkeypatch)
    ran(settings(*options), tmp_path / "auto", monkeypatch, stop_at=3)
    resumed = ran(settings(*options), tmp_path / "auto", monkeypatch)
    reading = ran(settings(*options), tmp_path / "reading", monkeypatch)
    assert sorted(resumed.epochs) == [3]
    # The first epochs were computed before the run was stopped.
    assert "training images of 1 epoch: 1 computed; " in resumed.record.tags["frostline.reuse"]
    phases = {name: text for name, text in reading.record.tags.items() if "reuse" in name}
    assert len(phases) >= 2
    assert all(re.search(r"(\d) epochs?: \1 read; ", text) for text in phases.values())
    for other in (resumed, reading):
        assert_equal_state(without.epochs[3].state, other.epochs[3].state)
        for part in ("state_dict", "optimizer_states", "lr_schedulers"):
            assert_equal_state(without.last[part], other.last[part])
        for name in without.figures.keys() - {"time/train_s", "time/alone_s"}:
            assert without.figures[name] == other.figures[name]


def test_heads_from_other_seeds_read_what_the_first_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "net.pth"
    torch.save(timm.create_model("test_resnet").state_dict(), weights)
    options = (
        "backbone=test_resnet", f"weights={weights}", "freeze=3", "epochs=2", "augment=crop",
        "data.split_seed=0", "sweep.sharing=1000",
    )  # fmt: skip
    ran(settings(*options, "seed=0", "order_seed=3"), tmp_path / "first", monkeypatch)
    one = (*options, "seed=1", "order_seed=3")
    reading = ran(settings(*one), tmp_path / "reading", monkeypatch)
    without = ran(settings(*one, "reuse=off"), tmp_path / "off", monkeypatch)
    assert "training images of 2 epochs: 2 read; " in reading.record.tags["frostline.reuse"]
    assert_equal_state(without.last["state_dict"], reading.last["state_dict"])
    other = ran(settings(*options, "seed=1", "reuse=off"), tmp_path / "other", monkeypatch)
    assert other.figures["val_best/loss"] != without.figures["val_best/loss"]
    same = ran(
        settings(*options, "seed=1", "order_seed=1", "reuse=off"), tmp_path / "same", monkeypatch
    )
    assert_equal_state(other.last["state_dict"], same.last["state_dict"])


def test_statistics_that_adapt_keep_outputs_out_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("backbone=test_resnet", "freeze=3", "epochs=1", "augment=crop", "frozen_bn=train")
    seen = ran(settings(*options, "sweep.sharing=9"), tmp_path, monkeypatch)
    assert seen.record.tags["frostline.reuse"].startswith("reuse off: the frozen stages' outputs")
    assert not list(store_folder().rglob("*.outputs"))

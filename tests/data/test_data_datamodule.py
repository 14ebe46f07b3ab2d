import errno
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from frostline.backbones.spec import InputSpec
from frostline.data import pixel_files, pixels
from frostline.data.cache import evict
from frostline.data.contact_sheet import contact_sheet
from frostline.data.geometry import evaluation_geometry, square
from frostline.data.image_datamodule import ImageDataModule
from frostline.data.pixel_access import OnTheFlyPixels, StoredPixels
from frostline.data.pixels import open_pixels
from frostline.data.splits import split_table

SPEC = InputSpec(32, (0.5,) * 3, (0.5,) * 3, "bilinear", 1.0, "center", False)
GEOMETRY = evaluation_geometry(SPEC)


def module(table, **changes):
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=0)
    options = {"augment": "flip", "batch_size": 16, "seed": 0, "workers": 0, "memory_gib": 1.0}
    return ImageDataModule(table, splits, SPEC, **(options | changes))


def batches(loader, epoch=0):
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_batches_have_images_labels_rows_and_views(leaves):
    table = leaves()
    data = module(table)
    seen = []
    for batch in batches(data.train_dataloader()):
        assert batch.inputs.dtype == torch.uint8
        assert batch.inputs.shape[1:] == (3, 32, 32)
        for row, label, image in zip(*(batch.items, batch.labels, batch.inputs), strict=True):
            assert label == table.labels[row]
            wanted = square(table.open_image(table.items[row]), GEOMETRY)
            assert np.array_equal(image.permute(1, 2, 0).numpy(), wanted)
            seen.append(int(row))
    assert sorted(seen) == data.splits.train.tolist()


def test_evaluation_is_complete_and_in_order(leaves):
    data = module(leaves(), batch_size=7)
    for split in ("val", "test"):
        loader = getattr(data, f"{split}_dataloader")()
        rows = torch.cat([batch.items for batch in batches(loader)])
        assert rows.tolist() == data.splits.named()[split].tolist()
        assert not torch.cat([batch.views for batch in batches(loader)]).any()


def test_epochs_differ_and_are_repeatable(leaves):
    loader = module(leaves()).train_dataloader()
    again = module(leaves()).train_dataloader()
    for epoch in (0, 1):
        for one, other in zip(batches(loader, epoch), batches(again, epoch), strict=True):
            assert all(map(torch.equal, one, other))
    assert not torch.equal(batches(loader, 0)[0].items, batches(loader, 1)[0].items)


def test_lightning_sets_the_epoch(leaves):
    import pytorch_lightning as pl

    class Watch(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.first = []

        def training_step(self, batch, batch_idx):
            if batch_idx == 0:
                self.first.append(batch.items.tolist())
            return self.weight.sum()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    watch, data = Watch(), module(leaves())
    trainer = pl.Trainer(
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        limit_val_batches=0,
    )
    trainer.fit(watch, train_dataloaders=data.train_dataloader())
    loader = module(leaves()).train_dataloader()
    assert watch.first == [batches(loader, epoch)[0].items.tolist() for epoch in (0, 1)]


def test_crop_trains_on_larger_squares_only(leaves):
    data = module(leaves(), augment="crop")
    assert batches(data.train_dataloader())[0].inputs.shape[-1] == 39
    assert batches(data.val_dataloader())[0].inputs.shape[-1] == 32


def test_balanced_sampling(leaves):
    table = leaves(n_images=200, imbalance=6.0, n_species=1)
    data = module(table, sampling="balanced")
    labels = torch.cat(
        [batch.labels for epoch in range(8) for batch in batches(data.train_dataloader(), epoch)]
    )
    shares = torch.bincount(labels).float() / len(labels)
    assert shares.max() < 0.27 and shares.min() > 0.13


def test_on_the_fly_in_workers_gives_the_same(leaves, monkeypatch, caplog, tmp_path):
    table = leaves(n_images=45, n_species=1)
    stored = batches(module(table).train_dataloader())
    monkeypatch.setattr(pixels, "FREE_SHARE", 0.0)
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "elsewhere"))
    with caplog.at_level(logging.WARNING):
        data = module(table, workers=2)
        flown = batches(data.train_dataloader())
    assert data.pixels(GEOMETRY).is_decoded_on_the_fly
    assert "decoded again in every epoch" in caplog.text
    for one, other in zip(stored, flown, strict=True):
        assert all(map(torch.equal, one, other))


def count_decodes(monkeypatch):
    done = []

    def spy(image, geometry):
        done.append(geometry)
        return square(image, geometry)

    monkeypatch.setattr(pixel_files, "square", spy)
    return done


def test_images_are_decoded_once_for_all_jobs(leaves, monkeypatch):
    done = count_decodes(monkeypatch)
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: open_pixels(leaves(), GEOMETRY, memory_gib=1), range(4)))
    assert done == [GEOMETRY] * 90
    rows = np.arange(90)
    for one in opened[1:]:
        assert np.array_equal(one.take(rows), opened[0].take(rows))


def test_beyond_the_memory_limit_images_are_mapped(leaves):
    rows = np.array([3, 1])
    mapped = open_pixels(leaves(), GEOMETRY, memory_gib=1e-9)
    assert isinstance(mapped, StoredPixels) and isinstance(mapped.array, np.memmap)
    held = open_pixels(leaves(), GEOMETRY, memory_gib=1)
    assert isinstance(held, StoredPixels) and not isinstance(held.array, np.memmap)
    assert np.array_equal(mapped.take(rows), held.take(rows))


@pytest.mark.parametrize("damage", ["truncate", "flip", "no checksum"])
def test_damaged_cache_is_replaced(leaves, monkeypatch, own_cache, damage):
    table = leaves()
    wanted = open_pixels(table, GEOMETRY, memory_gib=1).take(np.arange(90))
    (path,) = (own_cache / "pixels").glob("*.npy")
    content = bytearray(path.read_bytes())
    if damage == "truncate":
        path.write_bytes(content[:1000])
    elif damage == "flip":
        content[5000] ^= 255
        path.write_bytes(content)
    else:
        path.with_suffix(".sums").unlink()
    done = count_decodes(monkeypatch)
    assert np.array_equal(open_pixels(table, GEOMETRY, memory_gib=1).take(np.arange(90)), wanted)
    assert len(done) == 90


def test_failed_decoding_leaves_no_files(leaves, monkeypatch, own_cache):
    def fail(image, geometry):
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(pixel_files, "square", fail)
    with pytest.raises(RuntimeError, match="disk on fire"):
        open_pixels(leaves(), GEOMETRY, memory_gib=1)
    assert [path.suffix for path in (own_cache / "pixels").iterdir()] == [".lock"]


def test_least_recently_used_is_deleted_first(tmp_path):
    import os

    for age, name in enumerate(["old", "middle", "new"]):
        (tmp_path / f"{name}.npy").write_bytes(bytes(100))
        os.utime(tmp_path / f"{name}.npy", (age, age))
    evict(tmp_path, room_bytes=100, limit_bytes=320)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["middle", "new"]


@pytest.mark.parametrize("augment", ["dihedral", "crop", "trivial"])
def test_contact_sheet_starts_with_the_evaluation_image(leaves, augment):
    data = module(leaves(), augment=augment)
    sheet = np.asarray(contact_sheet(data, n_images=3, n_epochs=4, seed=0))
    assert sheet.shape == (3 * 34, 5 * 34, 3)
    first = data.pixels(GEOMETRY).take(data.splits.train[:1])[0]
    assert np.array_equal(sheet[:32, :32], first)
    assert not np.array_equal(sheet[:32, 34:66], sheet[:32, 68:100]) or augment == "dihedral"


def test_contact_sheet_of_rectangles_keeps_their_shape(leaves):
    table = leaves()
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=0)
    lying = replace(SPEC, size_px=24, width_px=40)
    data = ImageDataModule(
        table, splits, lying, augment="crop", batch_size=8, seed=0, workers=0, memory_gib=1.0
    )
    sheet = np.asarray(contact_sheet(data, n_images=3, n_epochs=2, seed=0))
    assert sheet.shape == (3 * 26, 3 * 42, 3)
    first = data.pixels(data.evaluation).take(data.splits.train[:1])[0]
    assert np.array_equal(sheet[:24, :40], first)
    assert (sheet[24:26] == 255).all() and (sheet[:, 40:42] == 255).all()


def test_a_full_disk_only_disables_the_cache(leaves, monkeypatch, caplog, own_cache):
    table = leaves(n_images=90)
    expected = open_pixels(table, GEOMETRY, memory_gib=1.0).take(np.arange(90))
    for file in (own_cache / "pixels").glob("*.npy"):
        file.unlink()

    def full(descriptor, offset, length):
        assert (offset, length) == (0, 90 * 32 * 32 * 3 + 128)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    # Without allocated blocks a mapped file is written until the system kills the process.
    monkeypatch.setattr(os, "posix_fallocate", full)
    pixels = open_pixels(table, GEOMETRY, memory_gib=1.0)
    assert np.array_equal(pixels.take(np.arange(90)), expected)
    assert "No space left" in caplog.text
    assert not list((own_cache / "pixels").glob("*.npy"))
    assert isinstance(open_pixels(table, GEOMETRY, memory_gib=0.0), OnTheFlyPixels)

"""Data that change after they were scanned, and a cache that is damaged or full."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.data import scan
from frostline.data.checked_images import DataChangedError
from frostline.data.checks.cached_checks import cached_checks, cached_page
from frostline.data.checks.checkup import THUMBNAIL
from frostline.data.geometry import Geometry
from frostline.data.listing import list_images
from frostline.data.pixel_access import OnTheFlyPixels
from frostline.data.pixels import open_pixels
from frostline.data.sources.folder import load_folder
from frostline.data.splits import split_table
from frostline.files import sealed, unsealed
from tests.integration.conftest import ROOT

GEOMETRY = Geometry(32, "bilinear", 1.0, "center", (0, 0, 0))
ITEM = "b/img_002.png"


@pytest.fixture
def photos(photo_tree):
    return photo_tree({"a": 12, "b": 12})


def table_of(root):
    return load_folder(str(root), on_bad_image="error")


def replace_image(root):
    """Other pixels in one file; returns what puts the old bytes back."""
    file = root / ITEM
    kept = file.read_bytes()
    Image.new("RGB", (24, 20), (1, 2, 3)).save(file)
    return lambda: file.write_bytes(kept)


@pytest.mark.parametrize("geometry", [GEOMETRY, THUMBNAIL], ids=["training", "thumbnails"])
@pytest.mark.parametrize("memory_gib", [1.0, 0.0], ids=["memory", "mapped"])
def test_a_file_that_changes_before_it_is_decoded_leaves_no_pixels(photos, geometry, memory_gib):
    table = table_of(photos)
    put_back = replace_image(photos)
    with pytest.raises(DataChangedError, match=rf"photos/{ITEM}: it holds other bytes"):
        open_pixels(table, geometry, memory_gib=memory_gib)
    put_back()
    again = table_of(photos)
    assert again.fingerprint == table.fingerprint
    every = np.arange(len(again))
    true = OnTheFlyPixels(again.open_image, again.items, geometry).take(every)
    assert np.array_equal(open_pixels(again, geometry, memory_gib=memory_gib).take(every), true)


def test_the_data_check_sees_no_file_that_has_changed(photos):
    table = table_of(photos)
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=0)
    put_back = replace_image(photos)
    with pytest.raises(DataChangedError, match=ITEM):
        cached_checks(table, splits, probing=False)
    assert cached_page(table, splits) is None
    put_back()
    assert cached_checks(table, splits, probing=False).page is not None


def test_a_file_that_is_gone_or_cut_is_named(photos):
    table = table_of(photos)
    content = (photos / ITEM).read_bytes()
    (photos / ITEM).write_bytes(content[:-20])
    with pytest.raises(DataChangedError, match=f"{ITEM}: it holds other bytes"):
        table.open_image(ITEM)
    (photos / ITEM).unlink()
    with pytest.raises(DataChangedError, match=f"{ITEM}: No such file"):
        table.open_image(ITEM)


def replaced_by_copy(file: Path, other: Path) -> None:
    """What `cp -p` does: the bytes and the times of another file."""
    shutil.copy2(other, file)


def replaced_by_rename(file: Path, other: Path) -> None:
    shutil.copy2(other, other.with_name("moving.tmp"))
    other.with_name("moving.tmp").rename(file)


@pytest.mark.parametrize("replace", [replaced_by_copy, replaced_by_rename])
def test_a_replacement_with_size_and_time_kept_is_read_again(replace, photos, tmp_path):
    file, other = photos / ITEM, tmp_path / "other.bmp"
    Image.new("RGB", (24, 20), (9, 9, 9)).save(file, format="BMP")
    Image.new("RGB", (24, 20), (200, 0, 0)).save(other)
    stat = file.stat()
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    before = table_of(photos).fingerprint
    replace(file, other)
    now = file.stat()
    assert (now.st_size, now.st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert table_of(photos).fingerprint != before


def test_nothing_is_read_again_where_nothing_was_written(photos, monkeypatch):
    before = table_of(photos).fingerprint
    monkeypatch.setattr(scan, "_read_one", lambda path: pytest.fail(f"{path} was read again"))
    assert table_of(photos).fingerprint == before
    assert scan.scan_files(photos, list_images(photos).files).bad == ()


def kept_checks(photos):
    table = table_of(photos)
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=0)
    return cached_checks(table, splits, probing=False)


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("name", ["findings.json", "data.html"])
@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda content: content[:40], flip, lambda _: b"[1]", lambda _: b"{}"],
    ids=["empty", "cut", "flipped", "a list", "an object"],
)
def test_damaged_results_of_the_data_check_are_made_again(name, damage, photos, own_cache, caplog):
    first = kept_checks(photos)
    (file,) = (own_cache / "checks").glob(f"*/{name}")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert kept_checks(photos) == first
    assert "made again" in caplog.text
    assert file.read_bytes() == whole


FULL = """
import json, sys
from frostline.data.geometry import Geometry
from frostline.data.pixels import open_pixels
from frostline.data.checks.cached_checks import cached_checks
from frostline.data.sources.folder import load_folder
from frostline.data.splits import split_table
from frostline.files import sealed, unsealed

table = load_folder(sys.argv[1], on_bad_image="error")
splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=0)
checks = cached_checks(table, splits, probing=False)
pixels = open_pixels(table, Geometry(32, "bilinear", 1.0, "center", (0, 0, 0)), memory_gib=1.0)
print(json.dumps([table.fingerprint, len(checks.findings), pixels.take([0]).sum().item()]))
"""


def test_a_cache_that_takes_no_byte_costs_time_only(photos, tmp_path):
    """A limit of 0 bytes a file is a disk that is full: every write to it fails."""

    def call(cache: Path, limit: int | None) -> subprocess.CompletedProcess[str]:
        def restrict() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        return subprocess.run(
            [sys.executable, "-c", FULL, str(photos)],
            env=os.environ | {"FROSTLINE_CACHE": str(cache), "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=restrict,
        )

    room, full = call(tmp_path / "roomy", None), call(tmp_path / "full", 0)
    assert json.loads(full.stdout) == json.loads(room.stdout)
    assert room.stderr == ""
    for what in ("the results of the scan", "the page of the data check", "decoded images"):
        assert f"{what} cannot be" in full.stderr
    assert [
        file for file in (tmp_path / "full").rglob("*") if file.suffix in {".json", ".npy"}
    ] == []


@pytest.mark.parametrize("memory_gib", [1.0, 0.0], ids=["memory", "mapped"])
def test_a_flipped_bit_among_decoded_images_reaches_nobody(
    photos, own_cache, caplog, memory_gib, tmp_path
):
    table = table_of(photos)
    every = np.arange(len(table))
    true = open_pixels(table, GEOMETRY, memory_gib=memory_gib).take(every)
    (file,) = (own_cache / "pixels").glob("*.npy")
    content = bytearray(file.read_bytes())
    content[-7] ^= 4  # in the last image
    file.write_bytes(content)
    again = open_pixels(table, GEOMETRY, memory_gib=memory_gib)
    assert np.array_equal(again.take(every), true)
    assert "damaged" in caplog.text


def test_a_bit_that_flips_under_a_mapped_file_reaches_nobody(photos, own_cache, caplog):
    table = table_of(photos)
    every = np.arange(len(table))
    pixels = open_pixels(table, GEOMETRY, memory_gib=0.0)
    true = pixels.take(every)
    (file,) = (own_cache / "pixels").glob("*.npy")
    with file.open("r+b") as handle:
        handle.seek(-7, os.SEEK_END)
        last = handle.read(1)[0]
        handle.seek(-1, os.SEEK_CUR)
        handle.write(bytes([last ^ 4]))
    for _ in range(2):
        assert np.array_equal(pixels.take(every), true)
    assert caplog.text.count("damaged") == 1, "once is enough"


def test_a_damaged_record_of_the_scan_is_read_again(photos, own_cache):
    """A digit of a digest that flips would give the data another fingerprint, for ever."""
    before = table_of(photos).fingerprint
    (notes,) = (own_cache / "scans").glob("*.json")
    text = notes.read_text()
    digest = table_of(photos).facts.digests[3]
    notes.write_text(text.replace(digest, digest[::-1]))
    assert digest[::-1] != digest
    table = table_of(photos)
    assert table.fingerprint == before
    open_pixels(table, GEOMETRY, memory_gib=1.0)


def test_a_file_that_changed_unseen_is_read_again_by_the_next_command(photos, own_cache):
    """Written twice within one tick of the clock, size and times stay: the scan knows the first."""
    before = table_of(photos).facts.digests
    replace_image(photos)
    after = table_of(photos).facts.digests
    (notes,) = (own_cache / "scans").glob("*.json")
    (now,) = set(after) - set(before)
    (then,) = set(before) - set(after)
    notes.write_text(sealed(unsealed(notes.read_text()).replace(now, then)))
    table = table_of(photos)
    assert table.facts.digests == before
    with pytest.raises(DataChangedError, match="holds other bytes"):
        open_pixels(table, GEOMETRY, memory_gib=1.0)
    again = table_of(photos)
    assert again.facts.digests == after
    open_pixels(again, GEOMETRY, memory_gib=1.0)

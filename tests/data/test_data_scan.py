import errno
import json
import os
from pathlib import Path

import pytest

from frostline.data import scan
from frostline.data.listing import list_images
from frostline.errors import DataError


@pytest.fixture
def reads(monkeypatch):
    """The files that were really decoded."""
    done = []
    real = scan._read_one

    def spy(path, in_chans):
        done.append(path.name)
        return real(path, in_chans)

    monkeypatch.setattr(scan, "_read_one", spy)
    return done


def read(root):
    return scan.scan_files(root, list_images(root).files)


def test_second_start_reads_nothing(photo_tree, reads):
    root = photo_tree({"a": 40, "b": 40})
    first = read(root)
    assert len(reads) == 80
    second = read(root)
    assert len(reads) == 80
    assert (second.good, second.facts.digests) == (first.good, first.facts.digests)


def test_only_changed_files_are_read_again(photo_tree, reads):
    root = photo_tree({"a": 5})
    first = read(root)
    (root / "a" / "img_003.png").write_bytes((root / "a" / "img_004.png").read_bytes())
    second = read(root)
    assert reads[5:] == ["img_003.png"]
    assert second.facts.digests[3] == first.facts.digests[4]


def test_results_for_bad_files_are_stored_too(photo_tree, reads):
    root = photo_tree({"a": 3})
    (root / "a" / "img_001.png").write_bytes(b"")
    for _ in range(2):
        result = read(root)
        assert [(bad.path, bad.reason) for bad in result.bad] == [
            ("a/img_001.png", "the file is empty")
        ]
        assert result.good == ("a/img_000.png", "a/img_002.png")
    assert len(reads) == 3


def test_damaged_scan_results_are_replaced(photo_tree, reads, own_cache):
    root = photo_tree({"a": 3})
    first = read(root)
    (notes,) = (own_cache / "scans").glob("*.json")
    for damage in (notes.read_text()[:50], json.dumps({"path": []}), "[]"):
        notes.write_text(damage)
        assert read(root).facts.digests == first.facts.digests
    assert len(reads) == 12


def test_a_moved_folder_is_read_again(photo_tree, reads):
    root = photo_tree({"a": 3})
    read(root)
    read(root.rename(root.with_name("moved")))
    assert len(reads) == 6


def test_files_that_could_not_be_opened_are_tried_again(photo_tree, reads, monkeypatch):
    # Rights may be given, and a disk may answer again, while time and size of the file stay.
    root = photo_tree({"a": 3})
    real = Path.read_bytes

    def refuse(path):
        if path.name == "img_001.png":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    with monkeypatch.context() as denied:
        denied.setattr(Path, "read_bytes", refuse)
        assert [bad.reason for bad in read(root).bad] == ["Permission denied"]
    assert read(root).bad == ()
    assert reads == ["img_000.png", "img_001.png", "img_002.png", "img_001.png"]


@pytest.mark.parametrize("how", ["a file", "a file above", "read-only"])
def test_a_cache_that_cannot_be_written_is_an_error(how, photo_tree, tmp_path, monkeypatch):
    root = photo_tree({"a": 3})
    place = tmp_path / "place"
    if how == "read-only":
        place.mkdir()
        real = os.access
        monkeypatch.setattr(
            os, "access", lambda path, mode: "place" not in str(path) and real(path, mode)
        )
    else:
        place.write_text("")
    monkeypatch.setenv("FROSTLINE_CACHE", str(place / "deeper" if how == "a file above" else place))
    with pytest.raises(
        DataError, match=r"the cache .* cannot be written: .*\n.*FROSTLINE_CACHE=DIR"
    ):
        read(root)


def test_a_full_disk_only_loses_the_scan_results(photo_tree, monkeypatch, caplog):
    root = photo_tree({"a": 3})

    def full(path, text, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    assert read(root).good == ("a/img_000.png", "a/img_001.png", "a/img_002.png")
    assert "No space left" in caplog.text

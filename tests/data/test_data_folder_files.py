"""The files of a folder of images: unreadable, oddly named, linked, changed meanwhile."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.data.checks.findings import unreadable_images
from frostline.data.sources.folder import load_folder
from frostline.errors import DataError


def load(root, **options):
    return load_folder(str(root), **({"on_bad_image": "error"} | options))


def spoil(root):
    """Eight unreadable files, each bad in a way of its own; returns their paths."""
    whole = root / "a" / "whole.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    data = whole.read_bytes()
    broken = {
        "a/cut.jpg": data[: len(data) // 2],
        "a/empty.png": b"",
        "a/text.jpg": b"<html>404</html>",
        "b/zeros.png": bytes(500),
        "b/cut.png": (root / "a" / "img_000.png").read_bytes()[:200],
        "b/head.jpg": data[:30],
        "b/tail.jpg": data[500:],
    }
    for path, content in broken.items():
        (root / path).write_bytes(content)
    (root / "b" / "link.png").symlink_to("nowhere.png")
    return sorted([*broken, "b/link.png"])


def test_all_bad_files_in_one_message(photo_tree):
    root = photo_tree({"a": 20, "b": 20})
    bad = spoil(root)
    with pytest.raises(DataError, match="8 of 49 images cannot be read") as caught:
        load(root)
    for path in bad:
        assert path in str(caught.value)
    assert "on_bad_image=skip" in str(caught.value)


def test_bad_files_are_skipped_and_recorded(photo_tree, caplog):
    root = photo_tree({"a": 20, "b": 20})
    bad = spoil(root)
    table = load(root, on_bad_image="skip")
    assert sorted(one.path for one in table.skipped) == bad
    assert table.counts() == {"a": 21, "b": 20}
    assert caplog.text == "", "the plan shows the finding once; jobs that read the table are quiet"
    (finding,) = unreadable_images(table)
    assert finding.text.startswith("8 left out: ") and "a/cut.jpg" in finding.text


def test_class_without_readable_image(photo_tree):
    root = photo_tree({"a": 3, "b": 3, "c": 1})
    (root / "c" / "img_000.png").write_bytes(b"")
    with pytest.raises(DataError, match="no readable image in class 'c'"):
        load(root, on_bad_image="skip")


def test_file_names_that_are_not_utf_8(photo_tree):
    root = photo_tree({"a": 3, "b": 3})
    odd = os.fsencode(root / "a") + b"/\xff.png"
    shutil.copy(root / "a" / "img_000.png", odd)
    with pytest.raises(DataError, match=r"1 file names cannot be written to a table: .*udcff"):
        load(root)


def test_circular_links_to_folders(photo_tree):
    root = photo_tree({"a": 3, "b": 3})
    (root / "a" / "loop").symlink_to(root, target_is_directory=True)
    assert load(root).counts() == {"a": 3, "b": 3}


def test_fingerprint_follows_the_content(photo_tree):
    root = photo_tree({"a": 3, "b": 3})
    before = load(root).fingerprint
    assert load(root).fingerprint == before
    image = root / "a" / "img_000.png"
    os.utime(image, ns=(1, 1))
    assert load(root).fingerprint == before
    Image.new("RGB", (24, 20)).save(image)
    assert load(root).fingerprint != before


def test_file_that_changes_after_the_scan_is_an_error(photo_tree):
    root = photo_tree({"a": 3, "b": 3})
    table = load(root)
    (root / "a" / "img_000.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"a/img_000.png: the file is empty"):
        table.open_image("a/img_000.png")


@pytest.mark.parametrize(
    "name",
    ["Screenshot at 3.14.15\u202fPM", "\U0001f469\u200d\U0001f33e", "\u200fورقة", "a\u00a0b"],
)
def test_unusual_file_names_are_allowed(name, photo_tree):
    root = photo_tree({"a": 2, "b": 3})
    shutil.copy(root / "a" / "img_000.png", root / "a" / f"{name}.png")
    table = load(root)
    assert table.counts() == {"a": 3, "b": 3}
    assert table.open_image(f"a/{name}.png").size == (24, 20)


@pytest.mark.parametrize("name", ["line\nend", "a\u2028b", "bell\a"])
def test_names_that_would_break_a_table(name, photo_tree):
    root = photo_tree({"a": 2, "b": 3})
    shutil.copy(root / "a" / "img_000.png", root / "a" / f"{name}.png")
    with pytest.raises(
        DataError, match=r"1 file names cannot be written to a table: 'a/"
    ) as caught:
        load(root)
    assert "''" not in str(caught.value)


def test_circular_links_are_errors(photo_tree):
    root = photo_tree({"a": 3, "b": 3})
    (root / "b" / "self.png").symlink_to("self.png")
    with pytest.raises(DataError, match=r"b/self.png: .*symbolic links"):
        load(root)
    assert load(root, on_bad_image="skip").counts() == {"a": 3, "b": 3}


def test_a_folder_is_listed_by_its_own_name_not_by_a_link(photo_tree, tmp_path):
    root = photo_tree({"rust": 3, "scab": 3})
    (root / "Link to rust").symlink_to("rust")
    (root / "scab" / "up").symlink_to("..")
    (tmp_path / "elsewhere").symlink_to(root)
    for seen_as in (root, tmp_path / "elsewhere"):
        table = load(seen_as)
        assert table.counts() == {"rust": 3, "scab": 3}
        assert (
            "ignored links to folders that are already read: 'Link to rust', 'scab/up'"
            in table.notes
        )


def test_a_pipe_is_not_an_image(photo_tree):
    root = photo_tree({"a": 3, "b": 3})
    os.mkfifo(root / "a" / "pipe.png")
    with pytest.raises(DataError, match=r"a/pipe.png: not a file, but"):
        load(root)


def test_a_folder_that_cannot_be_read(photo_tree, monkeypatch):
    root = photo_tree({"a": 3, "b": 3})
    real = os.scandir

    def refuse(path):
        if Path(path).name == "b":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"photos/b cannot be read: Permission denied"):
        load(root)

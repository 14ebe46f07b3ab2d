"""Data sets in MNIST's form."""

import gzip
import struct

import numpy as np
import pytest

from frostline.data.load import load_path
from frostline.data.source_kind import source_kind
from frostline.data.sources.idx_dataset import load_idx
from frostline.data.sources.idx_file import read_idx
from frostline.errors import DataError

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D}


def write(path, values, kind="u1", *, zipped=False):
    values = np.asarray(values)
    head = bytes([0, 0, CODES[kind], values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    data = head + values.astype(kind).tobytes()
    path.write_bytes(gzip.compress(data) if zipped else data)
    return path


@pytest.fixture
def mnist(tmp_path):
    """20 training and 10 test images of 5 x 7 px, four classes; in a row all pixels differ."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (30, 5, 7))
    labels = np.arange(30) % 4
    folder = tmp_path / "digits"
    folder.mkdir()
    write(folder / "train-images-idx3-ubyte.gz", pixels[:20], zipped=True)
    write(folder / "train-labels-idx1-ubyte.gz", labels[:20], zipped=True)
    write(folder / "t10k-images-idx3-ubyte", pixels[20:])
    write(folder / "t10k-labels-idx1-ubyte", labels[20:])
    return folder, pixels, labels


def test_every_pixel_and_label_is_the_files(mnist):
    folder, pixels, labels = mnist
    assert source_kind(folder) == "idx"
    table = load_path(str(folder), on_bad_image="error", group_by=None)
    assert table.name == "digits" and table.classes == ("0", "1", "2", "3")
    for item, label in zip(table.items, table.labels, strict=True):
        part, row = item.split("/")
        k = int(row) + (20 if part == "t10k" else 0)
        image = np.asarray(table.open_image(item))
        assert image.shape == (5, 7, 3)
        assert np.array_equal(image[..., 0], pixels[k])
        assert label == labels[k]
    given = dict(zip(table.items, table.given_split, strict=True))
    assert {split for item, split in given.items() if item.startswith("t10k")} == {"test"}
    assert {split for item, split in given.items() if item.startswith("train")} == {"train"}


def test_colour_names_and_one_part(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (12, 4, 4, 3))
    write(tmp_path / "images-idx4-ubyte", pixels)
    write(tmp_path / "labels-idx1-ubyte", np.arange(12) % 3, ">i4")
    table = load_idx(str(tmp_path), on_bad_image="error", label_names=["cat", "cow", "dog"])
    assert table.classes == ("cat", "cow", "dog") and table.given_split is None
    assert np.array_equal(np.asarray(table.open_image("all/00000005")), pixels[5])
    assert table.classes[table.labels[5]] == "dog"


def test_other_pixels_are_another_data_set(mnist):
    folder, pixels, _ = mnist
    first = load_idx(str(folder), on_bad_image="error").fingerprint
    assert load_idx(str(folder), on_bad_image="error").fingerprint == first
    changed = pixels[:20].copy()
    changed[3, 2, 2] ^= 1
    write(folder / "train-images-idx3-ubyte.gz", changed, zipped=True)
    assert load_idx(str(folder), on_bad_image="error").fingerprint != first


def test_names_of_relatives(tmp_path):
    for lead in ("emnist-letters-train-", "emnist-letters-test-"):
        write(
            tmp_path / f"{lead}images-idx3-ubyte", np.zeros((6, 3, 3)) + np.arange(6)[:, None, None]
        )
        write(tmp_path / f"{lead}labels-idx1-ubyte", np.arange(6) % 2)
    table = load_idx(str(tmp_path), on_bad_image="error")
    assert sorted(set(table.given_split)) == ["test", "train"]


def _cut(folder):
    file = folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-40])


def _cut_plain(folder):
    file = folder / "t10k-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-40])


def _magic(folder):
    file = folder / "t10k-images-idx3-ubyte"
    file.write_bytes(b"\x89PNG" + file.read_bytes()[4:])


def _counts(folder):
    write(folder / "t10k-labels-idx1-ubyte", np.arange(9) % 4)


def _no_labels(folder):
    (folder / "t10k-labels-idx1-ubyte").unlink()


def _floats(folder):
    write(folder / "t10k-images-idx3-ubyte", np.zeros((10, 5, 7)), ">f4")


def _empty(folder):
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, "train-images-idx3-ubyte.gz: it cannot be unpacked"),
        (_cut_plain, "its head promises 10 x 5 x 7 values, 350 bytes; it has 310"),
        (_magic, "it begins with 89 50 4e 47, and not as an IDX file does"),
        (_counts, "has 10 images, t10k-labels-idx1-ubyte 9 labels"),
        (_no_labels, "t10k-images-idx3-ubyte has no file of labels beside it"),
        (_floats, "values of type >f4"),
        (_empty, "t10k-labels-idx1-ubyte: it begins with"),
    ],
)
def test_damage_is_one_readable_error(mnist, damage, message):
    folder, *_ = mnist
    damage(folder)
    with pytest.raises(DataError, match=message.replace("(", r"\(")):
        load_idx(str(folder), on_bad_image="error")


def test_a_head_that_promises_more_than_memory_is_no_crash(tmp_path):
    file = tmp_path / "train-images-idx3-ubyte"
    file.write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1))
    with pytest.raises(DataError, match="its head promises 4294967295 x"):
        read_idx(file)


def test_a_folder_of_class_folders_stays_a_folder(photo_tree):
    assert source_kind(photo_tree({"cat": 3, "dog": 3})) == "folder"
    with pytest.raises(DataError, match="no file of images in the IDX format"):
        load_idx(str(photo_tree({"cat": 3, "dog": 3})), on_bad_image="error")


def test_splits_are_the_users_to_say(mnist):
    folder, *_ = mnist
    none = load_idx(str(folder), on_bad_image="error", splits={})
    assert none.given_split is None and len(none) == 30
    one = load_idx(str(folder), on_bad_image="error", splits={"t10k": None})
    assert len(one) == 20 and "leaves out 10 rows of 't10k'" in " ".join(one.notes)

"""Images of other channels than red, green and blue: how they are decoded, and what is refused."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from frostline.data.channels import Channels, image_from, pixels_of, with_channels
from frostline.data.decode import UnreadableImageError
from frostline.data.geometry import Geometry, square
from frostline.data.load import load_table
from frostline.data.sources.csv_table import load_csv
from frostline.data.sources.folder import load_archive, load_folder
from frostline.errors import ConfigError, DataError
from tests.composed import settings

RNG = np.random.default_rng(0)
FIVE = RNG.integers(0, 256, (12, 17, 5), dtype=np.uint8)
SIXTEEN = FIVE.astype(np.uint16) * 16


def as_array(values):
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def as_tiff(values, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, photometric="minisblack", **options)
    return buffer.getvalue()


def as_png(values, mode):
    buffer = io.BytesIO()
    Image.fromarray(values, mode).save(buffer, "PNG")
    return buffer.getvalue()


def as_pages(values):
    buffer = io.BytesIO()
    first, *rest = (Image.fromarray(values[:, :, k]) for k in range(values.shape[2]))
    first.save(buffer, "TIFF", save_all=True, append_images=rest)
    return buffer.getvalue()


FILES = {
    "array, channels last": as_array(FIVE),
    "array, channels first": as_array(np.moveaxis(FIVE, 2, 0)),
    "array of big-endian 16 bits": as_array(FIVE.astype(">u2")),
    "TIFF, channels last": as_tiff(FIVE, planarconfig="contig"),
    "TIFF, channels first": as_tiff(np.moveaxis(FIVE, 2, 0), planarconfig="separate"),
    "TIFF, packed": as_tiff(FIVE, planarconfig="contig", compression="zlib"),
    "TIFF of five pages": as_pages(FIVE),
}


@pytest.mark.parametrize("kind", FILES)
def test_five_channels_are_read_as_they_are(kind):
    image = image_from(FILES[kind], (0.0, 255.0), 5)
    assert isinstance(image, Channels)
    assert image.size == (17, 12)
    assert np.array_equal(pixels_of(image), FIVE)


@pytest.mark.parametrize(
    ("values", "value_range", "expected"),
    [
        (SIXTEEN, (0.0, 4080.0), FIVE),
        (SIXTEEN, None, np.rint(SIXTEEN / 257)),  # by its type
        (FIVE / np.float64(255), None, FIVE),
        (SIXTEEN.astype(np.int64) - 2040, (-2040.0, 2040.0), FIVE),
        (FIVE > 100, None, 255 * (FIVE > 100)),
    ],
    ids=["known range", "16 bits", "shares", "signed", "masks"],
)
def test_deep_channels_become_8_bits_by_one_range(values, value_range, expected):
    assert np.array_equal(pixels_of(image_from(as_array(values), value_range, 5)), expected)


def test_transparency_is_a_channel_like_the_others():
    image = image_from(as_png(FIVE[:, :, :4].copy(), "RGBA"), None, 4)
    assert np.array_equal(pixels_of(image), FIVE[:, :, :4])
    on_white = image_from(as_png(FIVE[:, :, :4].copy(), "RGBA"), None, 3)
    assert on_white.mode == "RGB"


def test_one_channel_is_the_grey_of_colour_or_an_array():
    rgb = FIVE[:, :, :3].copy()
    grey = with_channels(image_from(as_png(rgb, "RGB"), None, 1), 1)
    assert np.array_equal(pixels_of(grey)[:, :, 0], np.asarray(Image.fromarray(rgb).convert("L")))
    for values in (FIVE[:, :, 0], FIVE[:, :, :1]):
        assert np.array_equal(
            pixels_of(with_channels(image_from(as_array(values), None, 1), 1))[:, :, 0],
            FIVE[:, :, 0],
        )


def test_grey_is_taken_before_the_image_is_resized():
    image = Image.fromarray(FIVE[:, :, :3].copy())
    geometry = Geometry(8, "bicubic", 0.9, "center", (3,))
    wanted = square(
        image.convert("L").convert("RGB"), Geometry(8, "bicubic", 0.9, "center", (3,) * 3)
    )
    assert np.array_equal(square(image, geometry)[:, :, 0], wanted[:, :, 0])


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("size", [(17, 12), (40, 9), (5, 5)])
def test_each_channel_is_resized_and_padded_as_a_picture_of_its_own(mode, size):
    width, height = size
    values = RNG.integers(0, 256, (height, width, 5), dtype=np.uint8)
    border = (10, 20, 30, 40, 50)
    image = image_from(as_array(values), None, 5)
    found = square(image, Geometry(8, "bilinear", 0.9, mode, border))
    assert found.shape == (8, 8, 5)
    for channel, fill in enumerate(border):
        plane = Image.fromarray(np.repeat(values[:, :, channel : channel + 1], 3, axis=2))
        wanted = square(plane, Geometry(8, "bilinear", 0.9, mode, (fill,) * 3))
        assert np.array_equal(found[:, :, channel], wanted[:, :, 0])


@pytest.mark.parametrize(
    ("data", "in_chans", "reason"),
    [
        (as_png(FIVE[:, :, :3].copy(), "RGB"), 5, r"3 channels \(RGB\), and in_chans=5"),
        (as_png(FIVE[:, :, 0].copy(), "L"), 2, r"1 channel \(L\), and in_chans=2"),
        (as_array(FIVE), 4, r"the shape \(12, 17, 5\), and in_chans=4"),
        (as_array(FIVE), 1, r"the shape \(12, 17, 5\), and in_chans=1"),
        (as_array(FIVE[0]), 5, r"the shape \(17, 5\), and in_chans=5"),
        (as_array(FIVE)[:200], 5, "damaged"),
        (as_array(FIVE.astype(complex)), 5, "complex128"),
        (as_tiff(FIVE, planarconfig="contig"), 4, r"the shape \(12, 17, 5\), and in_chans=4"),
        (as_tiff(FIVE, planarconfig="contig"), 3, "need in_chans=N"),
        (as_tiff(FIVE, planarconfig="contig")[:300], 5, "damaged|cannot be read"),
        (as_array(FIVE), 3, "need in_chans=N"),
        (b"plain text", 5, "not an image"),
        (b"", 5, "empty"),
    ],
)
def test_other_numbers_of_channels_are_refused(data, in_chans, reason):
    with pytest.raises(UnreadableImageError, match=reason):
        image_from(data, None, in_chans)


def test_an_array_is_never_unpickled():
    buffer = io.BytesIO()
    np.save(buffer, np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(UnreadableImageError, match="allow_pickle=False"):
        image_from(buffer.getvalue(), None, 5)


def folder_of(root, n=3, *, suffix=".npy", data=None):
    for shift, kind in enumerate(("a", "b")):
        (root / kind).mkdir(parents=True)
        for number in range(n):
            content = data or as_array(FIVE + np.uint8(10 * shift + number))
            (root / kind / f"{number}{suffix}").write_bytes(content)
    return root


def test_a_folder_of_arrays_is_a_data_set_if_their_channels_are_given(tmp_path):
    root = folder_of(tmp_path / "field")
    table = load_folder(str(root), on_bad_image="error", in_chans=5)
    assert (len(table), table.classes) == (6, ("a", "b"))
    assert np.array_equal(pixels_of(table.open_image("b/2.npy")), FIVE + np.uint8(12))
    with pytest.raises(DataError, match=r"6 NumPy arrays \(\.npy\)") as caught:
        load_folder(str(root), on_bad_image="error")
    assert "in_chans=N" in str(caught.value)


def test_arrays_in_an_archive_and_a_table(tmp_path):
    import shutil

    root = folder_of(tmp_path / "field")
    packed = shutil.make_archive(str(tmp_path / "field"), "zip", root)
    folder = load_folder(str(root), on_bad_image="error", in_chans=5)
    archive = load_archive(packed, on_bad_image="error", in_chans=5)
    rows = "".join(f"{item},{item[0]}\n" for item in folder.items)
    (root / "table.csv").write_text(f"image,label\n{rows}")
    table = load_csv(str(root / "table.csv"), on_bad_image="error", in_chans=5)
    assert folder.fingerprint == archive.fingerprint == table.fingerprint


def test_one_error_names_a_file_of_other_channels(tmp_path):
    png = as_png(FIVE[:, :, :3].copy(), "RGB")
    root = folder_of(tmp_path / "photos", suffix=".png", data=png)
    with pytest.raises(DataError) as caught:
        load_folder(str(root), on_bad_image="error", in_chans=5)
    assert str(caught.value).splitlines()[0] == (
        "6 of 6 images do not have the channels asked for, such as a/0.png: it has 3 channels "
        "(RGB), and in_chans=5"
    )
    (root / "a" / "five.npy").write_bytes(as_array(FIVE))
    (root / "b" / "five.npy").write_bytes(as_array(FIVE))
    table = load_folder(str(root), on_bad_image="skip", in_chans=5)
    assert table.items == ("a/five.npy", "b/five.npy")


def test_arrays_beside_photos_leave_data_sets_in_colour_as_they_were(tmp_path):
    root = folder_of(tmp_path / "photos", suffix=".png", data=as_png(FIVE[:, :, :3].copy(), "RGB"))
    before = load_folder(str(root), on_bad_image="error")
    folder = root / "a" / "features.npy"
    folder.write_bytes(as_array(FIVE[:, :, :1]))
    after = load_folder(str(root), on_bad_image="error")
    assert after.fingerprint == before.fingerprint
    assert any("1 .npy" in note for note in after.notes)
    assert len(load_folder(str(root), on_bad_image="error", in_chans=1)) == 7


def test_one_range_for_all_channels_of_a_data_set(tmp_path):
    root = folder_of(tmp_path / "field", data=as_array(SIXTEEN))
    table = load_folder(str(root), on_bad_image="error", in_chans=5)
    assert table.value_range == (0.0, 4095.0)
    assert table.facts.modes[0] == "I;16 x 5"
    wanted = np.rint(SIXTEEN * (255 / 4095)).astype(np.uint8)
    assert np.array_equal(pixels_of(table.open_image("a/0.npy")), wanted)


def test_the_built_in_leaves_have_colour_or_grey():
    data = settings("data.n_images=60", "data.n_species=1").data
    assert len(load_table(data, in_chans=1)) == 60
    with pytest.raises(DataError, match="in_chans=5: the built-in leaves are drawn in colour"):
        load_table(data, in_chans=5)


@pytest.mark.parametrize("value", ["0", "-1", "grey", "65", "1.5"])
def test_impossible_numbers_of_channels_are_refused(value):
    with pytest.raises(ConfigError, match=f"in_chans={value}"):
        settings(f"in_chans={value}")
